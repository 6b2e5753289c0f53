-- How far projections are: each with its shards in their order.
-- $1 name, NULL for all
SELECT live.name, live.version, live.status, min(shard.position),
    (array_agg(shard.lease_owner ORDER BY shard.shard) FILTER (WHERE shard.lease_until > clock_timestamp()))[1],
    (array_agg(shard.error ORDER BY shard.shard) FILTER (WHERE shard.error IS NOT NULL))[1],
    (SELECT min(build.position) FROM public.projections AS build
     WHERE coalesce(build.shard_of, build.name) = live.name || '@rebuild'),
    (SELECT build.version FROM public.projections AS build WHERE build.name = live.name || '@rebuild'),
    (SELECT count(*) FROM public.dead_letters AS letter WHERE letter.projection = live.name),
    array_agg(shard.position ORDER BY shard.shard),
    array_agg(CASE WHEN shard.lease_until > clock_timestamp() THEN shard.lease_owner END ORDER BY shard.shard),
    array_agg(shard.error ORDER BY shard.shard)
FROM public.projections AS live
JOIN public.projections AS shard ON coalesce(shard.shard_of, shard.name) = live.name
WHERE live.shard_of IS NULL AND live.beside IS NULL AND ($1::text IS NULL OR live.name = $1)
GROUP BY live.name, live.version, live.status
ORDER BY live.name
