-- Writes the documents of an inline projection. Fewer rows than documents: somebody else made one of them meanwhile.
-- $1 ids, $2 documents, $3 the versions they were loaded at, 0 for a new one
INSERT INTO public.docs_collection AS stored (id, doc)
SELECT batch.id, batch.doc::jsonb FROM unnest($1::uuid[], $2::text[]) AS batch (id, doc)
ON CONFLICT (id) DO UPDATE
    SET doc = excluded.doc, version = stored.version + 1, updated_at = now(), deleted_at = NULL
    WHERE stored.version = ANY (
        SELECT loaded.version FROM unnest($1, $3::bigint[]) AS loaded (id, version) WHERE loaded.id = stored.id
    )
RETURNING id
