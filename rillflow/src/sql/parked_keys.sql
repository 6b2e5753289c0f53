-- The keys whose events wait behind one that failed.
-- $1 name of a shard
SELECT DISTINCT unnest(letter.keys)
FROM public.projections AS shard JOIN public.dead_letters AS letter ON letter.projection = coalesce(shard.shard_of, shard.name)
WHERE shard.name = $1::text
