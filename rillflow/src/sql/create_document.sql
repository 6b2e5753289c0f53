-- Stores a new document under the next id of its collection's sequence. No row: that id was taken by hand.
-- $1 document, $2 the key of its id, from $3 its metadata
INSERT INTO public.docs_collection (id, doc/*meta , correlation_id, causation_id, headers, last_modified_by */)
SELECT made.id, jsonb_set($1::text::jsonb, ARRAY[$2::text], to_jsonb(made.id))/*meta , $3::"uuid", $4::"uuid", $5::text::jsonb, $6::text */
FROM (SELECT nextval(pg_get_serial_sequence('public.docs_collection', 'id')) AS id) AS made
ON CONFLICT (id) DO NOTHING
RETURNING id, version
