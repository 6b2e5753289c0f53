-- The documents that an inline projection changes, locked in the order of their ids until the append commits.
-- $1 ids
SELECT id, version, doc FROM public.docs_collection WHERE id = ANY ($1::uuid[]) ORDER BY id FOR UPDATE
