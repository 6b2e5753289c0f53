-- Reads events in their global order, never past a mark computed in an EARLIER statement. A filter that is NULL lets
-- everything pass.
-- $1 after this position, $2 the mark, $3 types, $4 categories, $5 streams, $6 limit
SELECT global_seq, stream_id, stream_seq, event_id, type, type_version, data, headers::text, causation_id,
    correlation_id, created_at
FROM public.events AS event
WHERE global_seq > $1::bigint AND global_seq <= $2::bigint
    AND ($3::text[] IS NULL OR type = ANY ($3))
    AND ($4::text[] IS NULL OR EXISTS (
        SELECT FROM public.streams AS stream WHERE stream.stream_id = event.stream_id AND category = ANY ($4)
    ))
    AND ($5::uuid[] IS NULL OR stream_id = ANY ($5))
ORDER BY global_seq
LIMIT $6::bigint
