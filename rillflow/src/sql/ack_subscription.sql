-- Acknowledges events of a partition.
-- $1 subscription, $2 group, $3 partition, $4 token, $5 in the line, $6 out of it, $7 still open, $8 reached,
-- $9 position and $10 id of the last, $11 strict: in the caller's transaction, which keeps the partition until it ends. $12:
-- the seconds after which the server ends it when it stands idle; a shorter time of the caller's own stays.
SELECT stored_position, stored_acked, CASE
    WHEN $11::boolean AND current_setting('idle_in_transaction_session_timeout')::interval
        NOT BETWEEN '1 microsecond' AND make_interval(secs => $12::double precision)
    THEN set_config('idle_in_transaction_session_timeout', ceil($12 * 1000)::bigint::text, true)
END
FROM public.rillflow_ack($1::text, $2::text, $3::integer, $4::bigint, $5::bigint[], $6::bigint[], $7::bigint[],
    $8::bigint, $9::bigint, $10::uuid, $11::boolean)
