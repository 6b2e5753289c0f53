-- What a fold needs: the snapshot, when there is one of this shape, then the events behind it. Ordered twice, so that a
-- long tail is merged as its index gives it and not sorted first.
-- $1 stream_id, $2 aggregate, $3 fingerprint (NULL: no snapshot), $4 up to this stream_seq
WITH snapshot AS MATERIALIZED (
    SELECT stream_seq, state
    FROM public.snapshots
    WHERE stream_id = $1::uuid AND aggregate = $2::text AND fingerprint = $3::bigint AND stream_seq <= $4::bigint
)
SELECT stream_seq, NULL::text AS type, NULL::integer AS type_version, state AS data
FROM snapshot
UNION ALL
(
    SELECT stream_seq, type, type_version, data
    FROM public.events
    WHERE stream_id = $1 AND stream_seq > coalesce((SELECT stream_seq FROM snapshot), 0) AND stream_seq <= $4
    ORDER BY stream_seq
)
ORDER BY stream_seq
