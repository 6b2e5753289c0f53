-- Sends a group to a position. Its owners lose what they have; nothing that waits to be tried again is kept.
-- $1 subscription, $2 group (NULL: all), $3 position
WITH forgotten AS (
    DELETE FROM public.subscription_retries
    WHERE subscription = $1::text AND ($2::text IS NULL OR group_name = $2)
), sent AS (
    UPDATE public.subscription_partitions
    SET position = $3::bigint, acked = '{}', event_position = NULL, event_id = NULL, owner = NULL, token = token + 1,
        updated_at = clock_timestamp()
    WHERE subscription = $1 AND ($2 IS NULL OR group_name = $2)
    RETURNING partition
), told AS (
    SELECT pg_notify('public.rillflow_subscriptions', $1) WHERE EXISTS (SELECT FROM sent)
)
SELECT count(*) FROM sent, (SELECT count(*) FROM told) AS also
