-- Makes a group and its partitions, unless it has been here before.
-- $1 subscription, $2 group, $3 partitions, $4 position (NULL: where the subscription begins)
WITH made AS (
    INSERT INTO public.subscription_groups (subscription, group_name, partitions)
    VALUES ($1::text, $2::text, $3::integer)
    ON CONFLICT (subscription, group_name) DO NOTHING
    RETURNING subscription, group_name, partitions
)
INSERT INTO public.subscription_partitions (subscription, group_name, partition, position)
SELECT made.subscription, made.group_name, number, coalesce($4::bigint, stored.start_position)
FROM made
JOIN public.subscriptions AS stored ON stored.name = made.subscription
CROSS JOIN generate_series(0, made.partitions - 1) AS number
