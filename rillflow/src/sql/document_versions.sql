-- The versions of some documents.
-- $1 ids
SELECT id::text, version FROM public.docs_collection WHERE id = ANY ($1::uuid[]) AND deleted_at IS NULL
