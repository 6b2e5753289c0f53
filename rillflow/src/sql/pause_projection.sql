-- Pauses a projection: whoever runs a shard of it loses it, and writes nothing more.
-- $1 name
WITH shards AS (
    SELECT name FROM public.projections WHERE coalesce(shard_of, name) = $1::text ORDER BY name FOR UPDATE
)
UPDATE public.projections AS shard
SET status = 'paused', lease_owner = NULL, lease_until = clock_timestamp(), lease_token = lease_token + 1
FROM shards WHERE shard.name = shards.name
RETURNING shard.name
