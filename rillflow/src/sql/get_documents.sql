-- Documents and their versions, in the order in which they are asked for.
-- $1 ids
SELECT stored.doc, stored.version
FROM unnest($1::uuid[]) WITH ORDINALITY AS asked (id, place)
JOIN public.docs_collection AS stored ON stored.id = asked.id
WHERE stored.deleted_at IS NULL
ORDER BY asked.place
