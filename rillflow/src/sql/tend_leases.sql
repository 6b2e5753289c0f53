-- One statement per process and beat: says that this process lives, extends the leases it holds, and takes its share
-- of those that nobody holds, by the server's clock. Rows that are being written at this moment are left for the next.
-- $1 owner, $2 seconds, $3 names, $4 versions, $5 which may be taken now, $6 which begin
-- anew under a new version (the others are rebuilt beside the old one)
WITH clock AS (
    SELECT clock_timestamp() AS now, clock_timestamp() + make_interval(secs => $2::double precision) AS until
), wanted AS (
    SELECT * FROM unnest($3::text[], $4::integer[], $5::boolean[], $6::boolean[])
        AS wanted (name, version, now, restarts)
), alive AS (
    INSERT INTO public.projection_workers AS worker (owner, alive_until) SELECT $1::uuid, until FROM clock
    ON CONFLICT (owner) DO UPDATE SET alive_until = excluded.alive_until
), gone AS (
    DELETE FROM public.projection_workers AS worker USING clock
    WHERE worker.alive_until < clock.now - interval '10 minutes' AND worker.owner <> $1
), share AS (
    SELECT ceil((SELECT count(*) FROM wanted)::numeric / (
        SELECT 1 + count(*) FROM public.projection_workers AS worker, clock
        WHERE worker.owner <> $1 AND worker.alive_until > clock.now
    ))::bigint AS size
), held AS (
    SELECT projection.name, projection.lease_token
    FROM public.projections AS projection JOIN wanted ON wanted.name = projection.name
    WHERE projection.lease_owner = $1 AND projection.status = 'running'
), kept AS (
    UPDATE public.projections AS projection
    SET lease_until = clock.until
    FROM clock, (
        SELECT name FROM public.projections
        WHERE lease_owner = $1 AND status = 'running' AND name IN (SELECT name FROM held)
        FOR UPDATE SKIP LOCKED
    ) AS mine
    WHERE projection.name = mine.name
), taken AS (
    UPDATE public.projections AS projection
    SET lease_owner = $1, lease_token = lease_token + 1, lease_until = clock.until
    FROM clock, (
        SELECT free.name
        FROM public.projections AS free, wanted, clock
        WHERE wanted.name = free.name AND wanted.now AND free.status = 'running'
          AND (free.version = wanted.version OR free.version < wanted.version AND (wanted.restarts OR free.position = 0))
          AND free.lease_owner IS DISTINCT FROM $1
          AND (free.lease_owner IS NULL OR free.lease_until < clock.now)
        ORDER BY random()
        LIMIT (SELECT greatest(0, share.size - (SELECT count(*) FROM held)) FROM share)
        FOR UPDATE OF free SKIP LOCKED
    ) AS next
    WHERE projection.name = next.name
    RETURNING projection.name, projection.lease_token, projection.version, projection.position,
        projection.event_position, projection.event_id
)
SELECT 'taken', name, lease_token, version, position, event_position, event_id, (SELECT size FROM share) FROM taken
UNION ALL
SELECT 'held', name, lease_token, NULL, NULL, NULL, NULL, (SELECT size FROM share) FROM held
UNION ALL
SELECT 'stale', old.name, 0, old.version, old.position, NULL, NULL, (SELECT size FROM share)
FROM public.projections AS old JOIN wanted ON wanted.name = old.name
WHERE old.version < wanted.version AND NOT wanted.restarts AND old.position > 0 AND old.status = 'running'
