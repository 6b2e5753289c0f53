-- As `load_aggregate`, up to a time: everything before the first event that was recorded later. Times are those of the
-- transactions' beginnings and may run backwards inside a stream; what is folded is always its beginning, whole.
-- $1 stream_id, $2 aggregate, $3 fingerprint (NULL: no snapshot), $4 the time
WITH until AS MATERIALIZED (
    SELECT coalesce(min(stream_seq) - 1, 9223372036854775807) AS stream_seq
    FROM public.events
    WHERE stream_id = $1::uuid AND created_at > $4::timestamptz
), snapshot AS MATERIALIZED (
    SELECT stored.stream_seq, state
    FROM public.snapshots AS stored, until
    WHERE stream_id = $1 AND aggregate = $2::text AND fingerprint = $3::bigint
        AND stored.stream_seq <= until.stream_seq
)
SELECT stream_seq, NULL::text AS type, NULL::integer AS type_version, state AS data
FROM snapshot
UNION ALL
(
    SELECT stream_seq, type, type_version, data
    FROM public.events
    WHERE stream_id = $1 AND stream_seq > coalesce((SELECT stream_seq FROM snapshot), 0)
        AND stream_seq <= (SELECT stream_seq FROM until)
    ORDER BY stream_seq
)
ORDER BY stream_seq
