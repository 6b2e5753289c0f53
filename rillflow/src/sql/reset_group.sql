-- Sends a group to a position. Its owners lose what they have; nothing that waits to be tried again is kept. The event
-- before stands for the last one done, so that the checkpoint is known again in another epoch.
-- $1 subscription, $2 group (NULL: all), $3 position, $4 the channel of members
WITH forgotten AS (
    DELETE FROM public.subscription_retries
    WHERE subscription = $1::text AND ($2::text IS NULL OR group_name = $2)
), last AS (
    SELECT global_seq, event_id FROM public.events WHERE global_seq <= $3::bigint ORDER BY global_seq DESC LIMIT 1
), sent AS (
    UPDATE public.subscription_partitions
    SET position = $3, acked = '{}', crashes = 0, epoch = (SELECT epoch FROM public.event_marks),
        event_position = (SELECT global_seq FROM last), event_id = (SELECT event_id FROM last),
        owner = NULL, token = token + 1, updated_at = clock_timestamp()
    WHERE subscription = $1 AND ($2 IS NULL OR group_name = $2)
    RETURNING partition
), told AS (
    SELECT pg_notify($4::text, $1) WHERE EXISTS (SELECT FROM sent)
)
SELECT count(*) FROM sent, (SELECT count(*) FROM told) AS also
