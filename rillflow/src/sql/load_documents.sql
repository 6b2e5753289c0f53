-- The documents that a batch changes. The projection's lease keeps other writers away.
-- $1 ids
SELECT id, version, doc FROM public.docs_collection WHERE id = ANY ($1::uuid[])
