-- Begins a projection anew, all its shards, for a version of it, in the transaction that empties what they wrote. Who runs
-- another shard loses it. No row: the lease is lost.
-- $1 name of the shard that this process runs, $2 token, $3 version
WITH shards AS (
    SELECT name FROM public.projections
    WHERE coalesce(shard_of, name) = (SELECT coalesce(shard_of, name) FROM public.projections WHERE name = $1::text)
    ORDER BY name FOR UPDATE
), mine AS (
    SELECT own.name FROM shards JOIN public.projections AS own ON own.name = shards.name
    WHERE own.name = $1 AND own.lease_token = $2::bigint AND own.lease_owner IS NOT NULL AND own.status = 'running'
)
UPDATE public.projections AS shard
SET version = $3::integer, position = 0, event_position = NULL, event_id = NULL, error = NULL, processed = 0,
    failures = 0, rate = 0, epoch = (SELECT epoch FROM public.event_marks),
    lease_owner = CASE WHEN shard.name = mine.name THEN shard.lease_owner END,
    lease_token = lease_token + CASE WHEN shard.name = mine.name THEN 0 ELSE 1 END
FROM shards, mine WHERE shard.name = shards.name
RETURNING shard.position
