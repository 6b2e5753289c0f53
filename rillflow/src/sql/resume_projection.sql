-- Lets a projection run again.
-- $1 name
WITH shards AS (
    SELECT name FROM public.projections WHERE coalesce(shard_of, name) = $1::text ORDER BY name FOR UPDATE
)
UPDATE public.projections AS shard SET status = 'running', error = NULL
FROM shards WHERE shard.name = shards.name
RETURNING shard.name
