-- The version of a document, and whether it is deleted: why a write did not happen.
-- $1 id
SELECT version, deleted_at IS NOT NULL FROM public.docs_collection WHERE id = $1::uuid
