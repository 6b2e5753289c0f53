-- Takes an event out of the line, to be read again after a pause, or for good.
-- $1 subscription, $2 group, $3 partition, $4 token, $5 position, $6 stream, $7 whether it stands in the line,
-- $8 still open, $9 reached, $10 seconds, $11 attempts at most, $12 what went wrong, $13 how often it was tried
SELECT public.rillflow_nack($1::text, $2::text, $3::integer, $4::bigint, $5::bigint, $6::uuid, $7::boolean,
    $8::bigint[], $9::bigint, $10::double precision, $11::integer, $12::text, $13::integer)
