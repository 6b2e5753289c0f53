-- What a projection has done, and what it has still to do, counted from the shard that is furthest behind. Up to 10,000
-- events are counted; more are told by positions.
-- $1 name
SELECT projection.name, projection.position, projection.processed, projection.failures, projection.rate,
    behind.counted, coalesce((SELECT max(global_seq) FROM public.events), 0) - projection.position,
    greatest(extract(epoch FROM clock_timestamp() - behind.oldest), 0)::double precision,
    (SELECT count(*) FROM public.dead_letters AS letter WHERE letter.projection = projection.name)
FROM (
    SELECT $1::text AS name, min(position) AS position, sum(processed)::bigint AS processed,
        sum(failures)::bigint AS failures, sum(rate) AS rate
    FROM public.projections WHERE coalesce(shard_of, name) = $1
) AS projection, LATERAL (
    SELECT count(*) AS counted, min(created_at) AS oldest
    FROM (
        SELECT created_at FROM public.events WHERE global_seq > projection.position ORDER BY global_seq LIMIT 10001
    ) AS next
) AS behind
WHERE projection.position IS NOT NULL
