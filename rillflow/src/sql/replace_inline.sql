-- Notes of which version the read model of an inline projection is now: if it ran behind the appends before, nobody goes on
-- with that. No row: it is not of the version that it was to be of.
-- $1 name, $2 version, $3 the version that it must be of; NULL: any
WITH behind AS (
    DELETE FROM public.projections WHERE coalesce(shard_of, name) = $1::text
)
INSERT INTO public.projections AS stored (name, version, status, epoch, beside)
SELECT $1 || '@inline', $2::integer, 'paused', epoch, $1 FROM public.event_marks
ON CONFLICT (name) DO UPDATE SET version = excluded.version, updated_at = clock_timestamp()
    WHERE $3::integer IS NULL OR stored.version = $3
RETURNING version
