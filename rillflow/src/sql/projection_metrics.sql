-- What a projection has done, and what it has still to do. Up to 10,000 events are counted; more are told by positions.
-- $1 name
SELECT projection.name, projection.position, projection.processed, projection.failures, projection.rate,
    behind.counted, coalesce((SELECT max(global_seq) FROM public.events), 0) - projection.position,
    greatest(extract(epoch FROM clock_timestamp() - behind.oldest), 0)::double precision,
    (SELECT count(*) FROM public.dead_letters AS letter WHERE letter.projection = projection.name)
FROM public.projections AS projection, LATERAL (
    SELECT count(*) AS counted, min(created_at) AS oldest
    FROM (
        SELECT created_at FROM public.events WHERE global_seq > projection.position ORDER BY global_seq LIMIT 10001
    ) AS next
) AS behind
WHERE projection.name = $1::text
