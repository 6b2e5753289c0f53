-- Removes a document, deleted or not.
-- $1 id
DELETE FROM public.docs_collection WHERE id = $1::uuid
