-- As `read_all_filtered`, for some streams: each is read by its own index, from where the last page ended in it. As
-- positions grow with versions, the first events of each are enough. `+ 0` keeps the index of the whole log out of it.
-- $1 after this position, $2 the mark, $3 types (NULL: all), $4 limit, $5 categories (NULL: all), $6 streams
SELECT global_seq, stream_id, stream_seq, event_id, type, type_version, data, headers::text, causation_id,
    correlation_id, created_at
FROM (SELECT DISTINCT unnest($6::uuid[]) AS id) AS wanted
CROSS JOIN LATERAL (
    SELECT event.*
    FROM public.events AS event
    WHERE stream_id = wanted.id
        AND stream_seq > coalesce((
            SELECT last.stream_seq FROM public.events AS last
            WHERE last.global_seq = $1::bigint AND last.stream_id = wanted.id
        ), 0)
        AND global_seq + 0 > $1 AND global_seq + 0 <= $2::bigint
        AND ($3::text[] IS NULL OR type = ANY ($3))
    ORDER BY stream_seq
    LIMIT $4::bigint
) AS event
WHERE $5::text[] IS NULL
    OR (SELECT category FROM public.streams AS stream WHERE stream.stream_id = wanted.id) = ANY ($5)
ORDER BY global_seq
LIMIT $4
