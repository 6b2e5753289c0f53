-- Deletes the messages that a group has handed on: up to the checkpoints of their partitions, but for those that are to be
-- tried again.
-- $1 subscription, $2 group
DELETE FROM public.outbox_messages AS message
USING public.subscription_groups AS g
JOIN public.subscription_partitions AS p USING (subscription, group_name)
WHERE g.subscription = $1::text AND g.group_name = $2::text
    AND p.partition = public.rillflow_partition(public.rillflow_key(message.key), g.partitions)
    AND message.position <= p.position
    AND NOT EXISTS (
        SELECT FROM public.subscription_retries AS r
        WHERE r.subscription = $1 AND r.group_name = $2 AND r.position = message.position
    )
    AND NOT EXISTS (
        SELECT FROM public.subscription_dead_letters AS d
        WHERE d.subscription = $1 AND d.group_name = $2 AND d.position = message.position
    )
