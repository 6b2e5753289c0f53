-- Makes the rows of a read model beside the live one, one per shard, unless one was begun.
-- $1 projection, $2 version, $3 shards
WITH own AS (
    INSERT INTO public.projections (name, version, epoch, beside, shards)
    SELECT $1::text || '@rebuild', $2::integer, epoch, $1, $3::integer FROM public.event_marks
    ON CONFLICT (name) DO NOTHING
    RETURNING name, version, epoch, beside, shards
)
INSERT INTO public.projections (name, version, epoch, beside, shard_of, shard, shards)
SELECT name || '#' || number, version, epoch, beside, name, number, shards
FROM own, generate_series(1, shards - 1) AS number
