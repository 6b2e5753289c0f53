-- Gives partitions back, so that another member takes them. One that an open transaction acknowledges in is left alone.
-- $1 subscription, $2 group, $3 partitions, $4 tokens, $5 the channel of members
WITH given AS (
    UPDATE public.subscription_partitions AS stored SET owner = NULL, token = stored.token + 1
    FROM (
        SELECT held.partition FROM public.subscription_partitions AS held
        JOIN unnest($3::integer[], $4::bigint[]) AS ours (partition, token)
            ON held.partition = ours.partition AND held.token = ours.token
        WHERE held.subscription = $1::text AND held.group_name = $2::text
        ORDER BY held.partition
        FOR NO KEY UPDATE OF held SKIP LOCKED
    ) AS free
    WHERE stored.subscription = $1 AND stored.group_name = $2 AND stored.partition = free.partition
    RETURNING stored.partition
), put_back AS (
    UPDATE public.subscription_retries AS r SET token = NULL
    FROM given
    WHERE r.subscription = $1 AND r.group_name = $2 AND r.partition = given.partition AND r.head AND r.token IS NOT NULL
), told AS (
    SELECT pg_notify($5::text, $1) WHERE EXISTS (SELECT FROM given)
)
SELECT given.partition FROM given, (SELECT count(*) FROM told) AS also
