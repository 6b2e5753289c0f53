-- Sets a checkpoint by hand, of all shards. Whoever runs the projection loses it, and begins there. The event before stands
-- for the last one processed, so that the checkpoint is known again in another epoch.
-- $1 name, $2 position
WITH last AS (
    SELECT global_seq, event_id FROM public.events WHERE global_seq <= $2::bigint ORDER BY global_seq DESC LIMIT 1
), shards AS (
    SELECT name FROM public.projections WHERE coalesce(shard_of, name) = $1::text ORDER BY name FOR UPDATE
)
UPDATE public.projections AS shard
SET position = $2,
    event_position = (SELECT global_seq FROM last), event_id = (SELECT event_id FROM last), error = NULL,
    epoch = (SELECT epoch FROM public.event_marks),
    lease_owner = NULL, lease_until = clock_timestamp(), lease_token = lease_token + 1
FROM shards WHERE shard.name = shards.name
RETURNING shard.name
