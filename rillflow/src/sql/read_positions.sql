-- Reads single events.
-- $1 positions
SELECT global_seq, stream_id, stream_seq, event_id, type, type_version, data, headers::text, causation_id,
    correlation_id, created_at
FROM public.events
WHERE global_seq = ANY ($1::bigint[])
ORDER BY global_seq
