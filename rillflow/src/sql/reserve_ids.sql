-- Ids of a collection's sequence that nobody else gets.
-- $1 how many
SELECT nextval(pg_get_serial_sequence('public.docs_collection', 'id')) FROM generate_series(1, $1::bigint)
