-- Whether there is a document.
-- $1 id
SELECT EXISTS (SELECT 1 FROM public.docs_collection WHERE id = $1::uuid AND deleted_at IS NULL)
