-- As `read_all`, for one shard of a projection, and for every type where $3 is NULL.
-- $1 after this position, $2 the mark, $3 types, $4 limit, $5 how many shards there are, $6 which of them
SELECT global_seq, stream_id, stream_seq, event_id, type, type_version, data, headers::text, causation_id,
    correlation_id, created_at
FROM public.events
WHERE global_seq > $1::bigint AND global_seq <= $2::bigint AND ($3::text[] IS NULL OR type = ANY ($3))
    AND public.rillflow_partition(stream_id, $5::integer) = $6::integer
ORDER BY global_seq
LIMIT $4::bigint
