-- Reads events of some types in their global order, never past a mark computed in an EARLIER statement.
-- $1 after this position, $2 the mark, $3 types, $4 limit
SELECT global_seq, stream_id, stream_seq, event_id, type, type_version, data, headers::text, causation_id,
    correlation_id, created_at
FROM public.events
WHERE global_seq > $1::bigint AND global_seq <= $2::bigint AND type = ANY ($3::text[])
ORDER BY global_seq
LIMIT $4::bigint
