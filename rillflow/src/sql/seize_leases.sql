-- Takes all shards of a projection from whoever runs them: what their owners have in hand is not written.
-- $1 name, $2 owner, $3 seconds
WITH shards AS (
    SELECT name FROM public.projections WHERE coalesce(shard_of, name) = $1::text ORDER BY name FOR UPDATE
)
UPDATE public.projections AS shard
SET lease_owner = $2::uuid,
    lease_token = lease_token + 1,
    lease_until = clock_timestamp() + make_interval(secs => $3::double precision)
FROM shards WHERE shard.name = shards.name
RETURNING lease_token, version, epoch, position, event_position, event_id, shard.shard, shard.shards
