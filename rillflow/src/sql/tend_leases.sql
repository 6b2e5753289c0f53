-- One statement per process and beat: says that this process lives and what it would run, extends the leases it holds, and
-- takes its share of those that nobody holds, by the server's clock; one that everybody passed over for two thirds of a
-- lease it takes beyond its share. Rows that are being written at this moment are left for the next beat.
-- $1 owner, $2 seconds, $3 names, $4 versions, $5 which may be taken now, $6 which begin anew under a new version (the
-- others are rebuilt beside the old one)
WITH clock AS (
    SELECT clock_timestamp() AS now, make_interval(secs => $2::double precision) AS lease
), wanted AS (
    SELECT * FROM unnest($3::text[], $4::integer[], $5::boolean[], $6::boolean[])
        AS wanted (name, version, now, restarts)
), alive AS (
    INSERT INTO public.projection_workers AS worker (owner, alive_until, names)
    SELECT $1::uuid, now + lease, $3 FROM clock
    ON CONFLICT (owner) DO UPDATE SET alive_until = excluded.alive_until
), gone AS (
    DELETE FROM public.projection_workers AS worker USING clock
    WHERE worker.alive_until < clock.now - interval '10 minutes' AND worker.owner <> $1
), others AS (
    SELECT worker.owner, worker.names, (
        SELECT count(*) FROM public.projections AS theirs
        WHERE theirs.lease_owner = worker.owner AND theirs.lease_until > clock.now
    ) AS holds
    FROM public.projection_workers AS worker, clock
    WHERE worker.owner <> $1 AND worker.alive_until > clock.now
), share AS (
    SELECT ceil(sum(1.0 / (1 + (SELECT count(*) FROM others WHERE wanted.name = ANY (others.names)))))::bigint AS size
    FROM wanted
), held AS (
    SELECT projection.name, projection.lease_token
    FROM public.projections AS projection JOIN wanted ON wanted.name = projection.name
    WHERE projection.lease_owner = $1 AND projection.status = 'running'
), kept AS (
    UPDATE public.projections AS projection
    SET lease_until = clock.now + clock.lease
    FROM clock, (
        SELECT name FROM public.projections
        WHERE lease_owner = $1 AND status = 'running' AND name IN (SELECT name FROM held)
        FOR UPDATE SKIP LOCKED
    ) AS mine
    WHERE projection.name = mine.name
), free AS (
    SELECT free.name, coalesce(free.lease_until, free.updated_at) < clock.now - clock.lease * 2 / 3 AS passed_over
    FROM public.projections AS free, wanted, clock
    WHERE wanted.name = free.name AND wanted.now AND free.status = 'running'
      AND (free.version = wanted.version OR free.version < wanted.version AND (wanted.restarts OR free.position = 0))
      AND free.lease_owner IS DISTINCT FROM $1
      AND (free.lease_owner IS NULL OR free.lease_until < clock.now)
), mine AS (
    SELECT name FROM free WHERE passed_over
    UNION
    (SELECT name FROM free ORDER BY random() LIMIT (SELECT greatest(0, size - (SELECT count(*) FROM held)) FROM share))
), taken AS (
    UPDATE public.projections AS projection
    SET lease_owner = $1, lease_token = lease_token + 1, lease_until = clock.now + clock.lease
    FROM clock, (
        SELECT next.name FROM public.projections AS next, clock
        WHERE next.name IN (SELECT name FROM mine) AND next.status = 'running'
          AND (next.lease_owner IS NULL OR next.lease_until < clock.now)
        FOR UPDATE OF next SKIP LOCKED
    ) AS next
    WHERE projection.name = next.name
    RETURNING projection.name, projection.lease_token, projection.version, projection.epoch, projection.position,
        projection.event_position, projection.event_id
)
SELECT 'taken', name, lease_token, version, epoch, position, event_position, event_id FROM taken
UNION ALL
-- one that another process would run which holds fewer by two is for that one
SELECT CASE WHEN EXISTS (
        SELECT FROM others
        WHERE held.name = ANY (others.names) AND others.holds + 1 < (SELECT count(*) FROM held)
    ) THEN 'spare' ELSE 'held' END, name, lease_token, NULL, NULL, NULL, NULL, NULL
FROM held
UNION ALL
SELECT 'stale', old.name, 0, NULL, NULL, NULL, NULL, NULL
FROM public.projections AS old JOIN wanted ON wanted.name = old.name
WHERE old.version < wanted.version AND NOT wanted.restarts AND old.position > 0 AND old.status = 'running'
