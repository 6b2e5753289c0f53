-- How many shards a rebuild that was begun for this version has, which may go on. No row: it is of another version.
-- $1 projection, $2 version
WITH going_on AS (
    UPDATE public.projections SET status = 'running'
    WHERE coalesce(shard_of, name) = $1::text || '@rebuild' AND version = $2::integer
    RETURNING shards
)
SELECT max(shards) FROM going_on HAVING count(*) > 0
