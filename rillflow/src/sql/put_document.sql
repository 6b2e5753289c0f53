-- Stores a document, whether it is there or not. No row: it is deleted.
-- $1 id, $2 document, from $3 its metadata
INSERT INTO public.docs_collection AS stored (id, doc/*meta , correlation_id, causation_id, headers, last_modified_by */)
VALUES ($1::uuid, $2::text::jsonb/*meta , $3::"uuid", $4::"uuid", $5::text::jsonb, $6::text */)
ON CONFLICT (id) DO UPDATE
    SET doc = excluded.doc, version = stored.version + 1, updated_at = now()/*meta , correlation_id = excluded.correlation_id,
            causation_id = excluded.causation_id, headers = excluded.headers, last_modified_by = excluded.last_modified_by */
    WHERE stored.deleted_at IS NULL
RETURNING version
