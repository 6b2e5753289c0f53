-- Reads events in their global order, never past a mark computed in an EARLIER statement.
-- $1 after this position, $2 the mark, $3 types (NULL: all), $4 limit
SELECT global_seq, stream_id, stream_seq, event_id, type, type_version, data, headers::text, causation_id,
    correlation_id, created_at
FROM public.events
WHERE global_seq > $1::bigint AND global_seq <= $2::bigint AND ($3::text[] IS NULL OR type = ANY ($3))
ORDER BY global_seq
LIMIT $4::bigint
