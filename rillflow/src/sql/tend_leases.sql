-- One statement per process and beat: says that this process lives and what it would run, extends the leases it holds, and
-- takes its share of those that nobody holds, by the server's clock; one that everybody passed over for two thirds of a
-- lease it takes beyond its share. Rows that are being written at this moment are left for the next beat.
-- Each shard has a lease of its own.
-- $1 owner, $2 seconds, $3 names of projections, $4 their versions, $5 which begin anew under a new version (the others are
-- rebuilt beside the old one), $6 names of shards that are not to be taken now
WITH clock AS (
    SELECT clock_timestamp() AS now, make_interval(secs => $2::double precision) AS lease
), wanted AS (
    SELECT * FROM unnest($3::text[], $4::integer[], $5::boolean[]) AS wanted (name, version, restarts)
), shards AS (
    SELECT shard.name, wanted.name AS projection, wanted.version AS wanted, wanted.restarts, shard.version, shard.status,
        shard.position, shard.lease_owner, shard.lease_token, shard.lease_until, shard.updated_at,
        max(shard.position) OVER (PARTITION BY wanted.name) AS furthest
    FROM public.projections AS shard JOIN wanted ON wanted.name = coalesce(shard.shard_of, shard.name)
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
    SELECT ceil(sum(1.0 / (1 + (SELECT count(*) FROM others WHERE shards.projection = ANY (others.names)))))::bigint AS size
    FROM shards
), held AS (
    SELECT name, projection, lease_token FROM shards WHERE lease_owner = $1 AND status = 'running'
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
    FROM shards AS free, clock
    WHERE free.name <> ALL ($6::text[]) AND free.status = 'running'
      AND (free.version = free.wanted OR free.version < free.wanted AND (free.restarts OR free.furthest = 0))
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
        projection.event_position, projection.event_id, coalesce(projection.shard_of, projection.name) AS projection,
        projection.shard, projection.shards
)
SELECT 'taken', name, lease_token, version, epoch, position, event_position, event_id, projection, shard, shards FROM taken
UNION ALL
-- one that another process would run which holds fewer by two is for that one
SELECT CASE WHEN EXISTS (
        SELECT FROM others
        WHERE held.projection = ANY (others.names) AND others.holds + 1 < (SELECT count(*) FROM held)
    ) THEN 'spare' ELSE 'held' END, name, lease_token, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
FROM held
UNION ALL
SELECT DISTINCT 'stale', old.projection, 0, NULL::integer, NULL::integer, NULL::bigint, NULL::bigint, NULL::uuid, NULL,
    NULL::integer, NULL::integer
FROM shards AS old
WHERE old.version < old.wanted AND NOT old.restarts AND old.furthest > 0 AND old.status = 'running'
