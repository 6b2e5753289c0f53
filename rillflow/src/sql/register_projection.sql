-- Makes the rows of a projection, one per shard, or finds it: how it is split stays as it is.
-- One that ran inline until now has a read model, of a version that is nobody's: it is built anew beside it.
-- $1 name, $2 version, $3 shards
WITH own AS (
    INSERT INTO public.projections (name, version, position, epoch, shards)
    SELECT $1::text, CASE WHEN inline.name IS NULL THEN $2::integer ELSE 0 END,
        CASE WHEN inline.name IS NULL THEN 0 ELSE 1 END, marks.epoch, $3::integer
    FROM public.event_marks AS marks LEFT JOIN public.projections AS inline ON inline.name = $1 || '@inline'
    ON CONFLICT (name) DO NOTHING
    RETURNING name, version, position, epoch, shards
)
INSERT INTO public.projections (name, version, position, epoch, shard_of, shard, shards)
SELECT name || '#' || number, version, position, epoch, name, number, shards
FROM own, generate_series(1, shards - 1) AS number
