-- All that is stored of a document, deleted or not; the id as text.
-- $1 id
SELECT doc::text, version, created_at, updated_at, deleted_at FROM public.docs_collection WHERE id = $1::text::uuid
