-- What some partitions have to try again, and in how many seconds.
-- $1 subscription, $2 group, $3 partitions
SELECT partition, position, stream_id,
    greatest(extract(epoch FROM retry_at - clock_timestamp())::double precision, 0)
FROM public.subscription_retries
WHERE subscription = $1::text AND group_name = $2::text AND partition = ANY ($3::integer[])
ORDER BY position
