-- Acknowledges events of a partition.
-- $1 subscription, $2 group, $3 partition, $4 token, $5 in the line, $6 out of it, $7 still open, $8 reached,
-- $9 position and $10 id of the last, $11 strict
SELECT stored_position, stored_acked
FROM public.rillflow_ack($1::text, $2::text, $3::integer, $4::bigint, $5::bigint[], $6::bigint[], $7::bigint[],
    $8::bigint, $9::bigint, $10::uuid, $11::boolean)
