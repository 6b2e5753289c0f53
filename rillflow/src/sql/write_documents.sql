-- Writes the documents of an inline projection. Fewer rows than documents: somebody else made one of them meanwhile.
-- $1 ids, $2 documents, $3 the versions they were loaded at, 0 for a new one
INSERT INTO public.docs_collection AS stored (id, doc, version)
SELECT batch.id, batch.doc::jsonb, batch.loaded + 1
FROM unnest($1::uuid[], $2::text[], $3::bigint[]) AS batch (id, doc, loaded)
ON CONFLICT (id) DO UPDATE
    SET doc = excluded.doc, version = excluded.version, updated_at = now(), deleted_at = NULL/*meta , correlation_id = NULL, causation_id = NULL, headers = NULL,
            last_modified_by = NULL */
    WHERE stored.version = excluded.version - 1
RETURNING id
