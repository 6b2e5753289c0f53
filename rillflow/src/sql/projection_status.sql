-- How far projections are.
-- $1 name, NULL for all
SELECT live.name, live.version, live.status, live.position,
    CASE WHEN live.lease_until > clock_timestamp() THEN live.lease_owner END,
    live.error, build.position, build.version,
    (SELECT count(*) FROM public.dead_letters AS letter WHERE letter.projection = live.name)
FROM public.projections AS live
LEFT JOIN public.projections AS build ON build.name = live.name || '@rebuild'
WHERE live.beside IS NULL AND ($1::text IS NULL OR live.name = $1)
ORDER BY live.name
