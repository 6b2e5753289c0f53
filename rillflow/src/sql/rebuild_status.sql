-- How far the rebuild of a projection is, and of which version.
-- $1 projection
SELECT min(position), min(version) FROM public.projections
WHERE coalesce(shard_of, name) = $1::text || '@rebuild'
HAVING count(*) > 0
