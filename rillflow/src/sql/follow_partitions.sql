-- Moves the checkpoints of partitions in which nothing was to be done. One that an open transaction acknowledges in is left
-- alone. It need not survive a crash, as it is found again: so the commit does not wait for the disk.
-- $1 subscription, $2 group, $3 partitions, $4 tokens, $5 positions up to which nothing is open
UPDATE public.subscription_partitions AS stored
SET position = free.reached, acked = ARRAY(SELECT a FROM unnest(stored.acked) AS it (a) WHERE a > free.reached),
    crashes = CASE WHEN free.reached < stored.doubtful_until THEN stored.crashes ELSE 0 END,
    updated_at = clock_timestamp()
FROM (
    SELECT held.partition, ours.reached FROM public.subscription_partitions AS held
    JOIN unnest($3::integer[], $4::bigint[], $5::bigint[]) AS ours (partition, token, reached)
        ON held.partition = ours.partition AND held.token = ours.token AND held.position < ours.reached
    WHERE held.subscription = $1::text AND held.group_name = $2::text
        AND held.epoch = (SELECT epoch FROM public.event_marks)
    ORDER BY held.partition
    FOR NO KEY UPDATE OF held SKIP LOCKED
) AS free
WHERE stored.subscription = $1 AND stored.group_name = $2 AND stored.partition = free.partition
    AND set_config('synchronous_commit', 'off', true) IS NOT NULL
RETURNING stored.partition, stored.position
