-- How many streams of a category have many events since the last snapshot of this shape, and how many at most.
-- $1 category, $2 aggregate, $3 fingerprint, $4 how many events are many
SELECT count(*) FILTER (WHERE gap >= $4::bigint), coalesce(max(gap), 0)
FROM (
    SELECT stream.version - coalesce(stored.stream_seq, 0) AS gap
    FROM public.streams AS stream
    LEFT JOIN public.snapshots AS stored
        ON stored.stream_id = stream.stream_id AND stored.aggregate = $2::text AND stored.fingerprint = $3::bigint
    WHERE stream.category = $1::text AND stream.deleted_at IS NULL
) AS stream
