-- Ends a membership. What the member owned is free with that, whether or not it is given back here.
-- $1 member, $2 subscription, $3 group, $4 the channel of members, $5 partitions of which something was dropped in hand
WITH gone AS (
    DELETE FROM public.subscription_members WHERE member = $1::uuid
), given AS (
    UPDATE public.subscription_partitions AS stored
    SET owner = NULL, token = stored.token + 1, crashes = stored.crashes + (stored.partition = ANY ($5::integer[]))::integer,
        doubtful_until = CASE WHEN stored.partition = ANY ($5) THEN (SELECT mark FROM public.event_marks)
            ELSE stored.doubtful_until END
    FROM (
        SELECT held.partition FROM public.subscription_partitions AS held
        WHERE held.subscription = $2::text AND held.group_name = $3::text AND held.owner = $1
        ORDER BY held.partition
        FOR NO KEY UPDATE SKIP LOCKED
    ) AS free
    WHERE stored.subscription = $2 AND stored.group_name = $3 AND stored.partition = free.partition
    RETURNING stored.partition
), put_back AS (
    UPDATE public.subscription_retries AS r SET token = NULL
    FROM given
    WHERE r.subscription = $2 AND r.group_name = $3 AND r.partition = given.partition AND r.head AND r.token IS NOT NULL
        AND given.partition <> ALL ($5)
)
SELECT pg_notify($4::text, $2)
