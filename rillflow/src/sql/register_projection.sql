-- Makes the rows of a projection, one per shard, or finds it: how it is split stays as it is.
-- $1 name, $2 version, $3 shards
WITH own AS (
    INSERT INTO public.projections (name, version, epoch, shards)
    SELECT $1::text, $2::integer, epoch, $3::integer FROM public.event_marks
    ON CONFLICT (name) DO NOTHING
    RETURNING name, version, epoch, shards
)
INSERT INTO public.projections (name, version, epoch, shard_of, shard, shards)
SELECT name || '#' || number, version, epoch, name, number, shards
FROM own, generate_series(1, shards - 1) AS number
