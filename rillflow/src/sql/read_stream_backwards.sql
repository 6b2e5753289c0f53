-- Reads a stream backwards.
-- $1 stream_id, $2 before this stream_seq, $3 limit
SELECT global_seq, stream_id, stream_seq, event_id, type, type_version, data, headers::text, causation_id,
    correlation_id, created_at
FROM public.events
WHERE stream_id = $1::uuid AND stream_seq < $2::bigint
ORDER BY stream_seq DESC
LIMIT $3::bigint
