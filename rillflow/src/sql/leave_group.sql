-- Ends a membership. What the member owned is free with that, whether or not it is given back here.
-- $1 member, $2 subscription, $3 group, $4 the channel of members
WITH gone AS (
    DELETE FROM public.subscription_members WHERE member = $1::uuid
), given AS (
    UPDATE public.subscription_partitions AS stored SET owner = NULL, token = stored.token + 1
    FROM (
        SELECT held.partition FROM public.subscription_partitions AS held
        WHERE held.subscription = $2::text AND held.group_name = $3::text AND held.owner = $1
        ORDER BY held.partition
        FOR NO KEY UPDATE SKIP LOCKED
    ) AS free
    WHERE stored.subscription = $2 AND stored.group_name = $3 AND stored.partition = free.partition
)
SELECT pg_notify($4::text, $2)
