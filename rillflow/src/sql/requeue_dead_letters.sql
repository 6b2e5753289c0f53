-- Gives dead letters back, to be tried anew.
-- $1 subscription, $2 ids, $3 the channel of members
WITH back AS (
    DELETE FROM public.subscription_dead_letters
    WHERE subscription = $1::text AND id = ANY ($2::bigint[])
    RETURNING subscription, group_name, partition, position, stream_id, error
), queued AS (
    INSERT INTO public.subscription_retries
        (subscription, group_name, partition, position, stream_id, attempts, retry_at, error)
    SELECT subscription, group_name, partition, position, stream_id, 0, clock_timestamp(), error FROM back
    ON CONFLICT (subscription, group_name, position) DO NOTHING
), told AS (
    SELECT pg_notify($3::text, $1) WHERE EXISTS (SELECT FROM back)
)
SELECT count(*) FROM back, (SELECT count(*) FROM told) AS also
