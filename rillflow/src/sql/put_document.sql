-- Stores a document, whether it is there or not.
-- $1 id, $2 document
INSERT INTO public.docs_collection AS stored (id, doc)
VALUES ($1::uuid, $2::text::jsonb)
ON CONFLICT (id) DO UPDATE
    SET doc = excluded.doc, version = stored.version + 1, updated_at = now(), deleted_at = NULL
RETURNING version
