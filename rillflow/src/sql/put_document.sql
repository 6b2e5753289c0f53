-- Stores a document, whether it is there or not. No row: it is deleted.
-- $1 id, $2 document
INSERT INTO public.docs_collection AS stored (id, doc)
VALUES ($1::uuid, $2::text::jsonb)
ON CONFLICT (id) DO UPDATE
    SET doc = excluded.doc, version = stored.version + 1, updated_at = now()
    WHERE stored.deleted_at IS NULL
RETURNING version
