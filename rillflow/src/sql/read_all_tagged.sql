-- As `read_all_filtered`, for events that carry all tags of one of the alternatives.
-- $1 after this position, $2 the mark, $3 types (NULL: all), $4 limit, $5 categories (NULL: all),
-- $6 streams (NULL: all), $7 alternatives, each a text[] as text
SELECT DISTINCT ON (global_seq) global_seq, stream_id, stream_seq, event_id, type, type_version, data, headers::text,
    causation_id, correlation_id, created_at
FROM unnest($7::text[]) AS alternative (tags)
CROSS JOIN LATERAL (
    SELECT event.*
    FROM public.events AS event
    WHERE event.tags @> alternative.tags::text[]
        AND global_seq > $1::bigint AND global_seq <= $2::bigint
        AND ($3::text[] IS NULL OR type = ANY ($3))
        AND ($6::uuid[] IS NULL OR stream_id = ANY ($6))
        AND ($5::text[] IS NULL
            OR (SELECT category FROM public.streams AS stream WHERE stream.stream_id = event.stream_id) = ANY ($5))
    ORDER BY global_seq
    LIMIT $4::bigint
) AS event
ORDER BY global_seq
LIMIT $4
