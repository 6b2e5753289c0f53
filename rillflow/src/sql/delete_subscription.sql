-- Deletes a subscription with its groups, checkpoints and dead letters.
-- $1 name, $2 the channel of members
WITH gone AS (
    DELETE FROM public.subscriptions WHERE name = $1::text RETURNING name
), told AS (
    SELECT pg_notify($2::text, $1) WHERE EXISTS (SELECT FROM gone)
)
SELECT count(*) FROM gone, (SELECT count(*) FROM told) AS also
