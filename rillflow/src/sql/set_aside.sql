-- Takes events out of the line, behind the first of their stream.
-- $1 subscription, $2 group, $3 partition, $4 token, $5 positions, $6 streams, $7 how often each was tried, $8 seconds,
-- $9 what went wrong, $10 whether it is suspect, $11 those in the line, $12 still open, $13 reached
SELECT public.rillflow_set_aside($1::text, $2::text, $3::integer, $4::bigint, $5::bigint[], $6::uuid[], $7::integer[],
    $8::double precision[], $9::text[], $10::boolean[], $11::bigint[], $12::bigint[], $13::bigint)::text
