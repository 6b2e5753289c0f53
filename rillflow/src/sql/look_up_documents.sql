-- The documents that a projection looks at.
-- $1 ids
SELECT id, doc FROM public.docs_collection WHERE id = ANY ($1::uuid[]) AND deleted_at IS NULL
