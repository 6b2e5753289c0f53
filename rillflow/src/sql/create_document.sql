-- Stores a new document under the next id of its collection's sequence. No row: that id was taken by hand.
-- $1 document, $2 the key of its id
INSERT INTO public.docs_collection (id, doc)
SELECT made.id, jsonb_set($1::text::jsonb, ARRAY[$2::text], to_jsonb(made.id))
FROM (SELECT nextval(pg_get_serial_sequence('public.docs_collection', 'id')) AS id) AS made
ON CONFLICT (id) DO NOTHING
RETURNING id, version
