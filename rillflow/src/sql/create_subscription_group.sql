-- Makes a group and its partitions, unless it has been here before. The event before the position stands for the last one
-- done, so that the checkpoint is known again in another epoch.
-- $1 subscription, $2 group, $3 partitions, $4 position (NULL: where the subscription begins)
WITH made AS (
    INSERT INTO public.subscription_groups (subscription, group_name, partitions)
    VALUES ($1::text, $2::text, $3::integer)
    ON CONFLICT (subscription, group_name) DO NOTHING
    RETURNING subscription, group_name, partitions
), begun AS (
    SELECT made.*, coalesce($4::bigint, stored.start_position) AS position
    FROM made JOIN public.subscriptions AS stored ON stored.name = made.subscription
), last AS (
    SELECT event.global_seq, event.event_id FROM begun JOIN public.events AS event ON event.global_seq <= begun.position
    ORDER BY event.global_seq DESC
    LIMIT 1
)
INSERT INTO public.subscription_partitions
    (subscription, group_name, partition, position, event_position, event_id, epoch)
SELECT subscription, group_name, number, position, (SELECT global_seq FROM last), (SELECT event_id FROM last),
    (SELECT epoch FROM public.event_marks)
FROM begun CROSS JOIN generate_series(0, partitions - 1) AS number
