-- Streams of a category whose events since the last snapshot of this shape are many, in the order of their ids.
-- $1 category, $2 aggregate, $3 fingerprint, $4 how many events are many, $5 after this stream_id (NULL: from the first), $6 limit
SELECT stream.stream_id
FROM public.streams AS stream
LEFT JOIN public.snapshots AS stored
    ON stored.stream_id = stream.stream_id AND stored.aggregate = $2::text AND stored.fingerprint = $3::bigint
WHERE stream.category = $1::text AND stream.deleted_at IS NULL
    AND ($5::uuid IS NULL OR stream.stream_id > $5)
    AND stream.version - coalesce(stored.stream_seq, 0) >= $4::bigint
ORDER BY stream.stream_id
LIMIT $6::bigint
