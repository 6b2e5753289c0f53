-- As `read_all`, for every type.
-- $1 after this position, $2 the mark, $3 limit
SELECT global_seq, stream_id, stream_seq, event_id, type, type_version, data, headers::text, causation_id,
    correlation_id, created_at
FROM public.events
WHERE global_seq > $1::bigint AND global_seq <= $2::bigint
ORDER BY global_seq
LIMIT $3::bigint
