-- A document and its version.
-- $1 id
SELECT doc, version FROM public.docs_collection WHERE id = $1::uuid AND deleted_at IS NULL
