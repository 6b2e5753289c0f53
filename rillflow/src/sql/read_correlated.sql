-- The events of one correlation id, in their global order, never past a mark computed in an EARLIER statement; with the
-- category of each stream. Reads the log from a time on, unless an index on correlation_id serves it.
-- $1 correlation_id, $2 the mark, $3 recorded at or after, $4 limit
SELECT event.global_seq, event.stream_id, event.stream_seq, event.event_id, event.type, event.type_version, event.data,
    event.headers::text, event.causation_id, event.correlation_id, event.created_at, coalesce(stream.category, '')
FROM public.events event
LEFT JOIN public.streams stream ON stream.stream_id = event.stream_id
WHERE event.correlation_id = $1::uuid
    AND event.global_seq <= $2::bigint
    AND event.created_at >= coalesce($3::timestamptz, '-infinity')
ORDER BY event.global_seq
LIMIT $4::bigint
