-- Deletes a subscription with its groups, checkpoints and dead letters.
-- $1 name
WITH gone AS (
    DELETE FROM public.subscriptions WHERE name = $1::text RETURNING name
), told AS (
    SELECT pg_notify('public.rillflow_subscriptions', $1) WHERE EXISTS (SELECT FROM gone)
)
SELECT count(*) FROM gone, (SELECT count(*) FROM told) AS also
