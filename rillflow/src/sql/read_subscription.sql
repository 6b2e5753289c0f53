-- Reads what a subscription lets pass, for some partitions of a group, never past a mark computed in an EARLIER statement.
-- $1 after this position, $2 the mark, $3 limit, $4 types, $5 streams, $6 categories, $7 beginning of the alias,
-- $8 headers (each NULL: all), $9 how many partitions there are, $10 which of them, $11 tags (NULL: all), $12 the epoch that the position belongs to
SELECT global_seq, stream_id, stream_seq, event_id, type, type_version, data, headers::text, causation_id,
    correlation_id, created_at, public.rillflow_partition(stream_id, $9::integer)
FROM public.events AS event
WHERE (SELECT public.rillflow_in_epoch($12::integer))
    AND global_seq > $1::bigint AND global_seq <= $2::bigint
    AND ($4::text[] IS NULL OR type = ANY ($4))
    AND ($5::uuid[] IS NULL OR stream_id = ANY ($5))
    AND ($6::text[] IS NULL OR (
        SELECT stream.category FROM public.streams AS stream WHERE stream.stream_id = event.stream_id
    ) = ANY ($6))
    AND ($7::text IS NULL OR stream_id IN (
        SELECT named.stream_id FROM public.stream_aliases AS named WHERE starts_with(named.alias, $7)
    ))
    AND ($11::text[] IS NULL OR tags @> $11)
    AND ($8::text IS NULL OR headers @> $8::jsonb)
    AND public.rillflow_partition(stream_id, $9) = ANY ($10::integer[])
ORDER BY global_seq
LIMIT $3::bigint
