-- As `read_all_filtered`, for streams of some categories.
-- $1 after this position, $2 the mark, $3 types (NULL: all), $4 limit, $5 categories
SELECT global_seq, stream_id, stream_seq, event_id, type, type_version, data, headers::text, causation_id,
    correlation_id, event.created_at
FROM public.events AS event
JOIN public.streams AS stream USING (stream_id)
WHERE global_seq > $1::bigint AND global_seq <= $2::bigint AND ($3::text[] IS NULL OR type = ANY ($3))
    AND category = ANY ($5::text[])
ORDER BY global_seq
LIMIT $4::bigint
