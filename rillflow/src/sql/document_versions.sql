-- The versions of some documents, and whether they are marked as deleted.
-- $1 ids
SELECT id::text, version, deleted_at IS NOT NULL FROM public.docs_collection WHERE id = ANY ($1::uuid[])
