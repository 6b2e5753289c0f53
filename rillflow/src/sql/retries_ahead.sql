-- Whether anything of some partitions is out of the line, and in how many seconds the next of it is due.
-- $1 subscription, $2 group, $3 partitions, $4 tokens
SELECT held.partition,
    EXISTS (
        SELECT FROM public.subscription_retries AS r
        WHERE r.subscription = $1::text AND r.group_name = $2::text AND r.partition = held.partition AND r.head
    ),
    (
        SELECT greatest(extract(epoch FROM r.retry_at - clock_timestamp())::double precision, 0)
        FROM public.subscription_retries AS r
        WHERE r.subscription = $1 AND r.group_name = $2 AND r.partition = held.partition AND r.head
            AND coalesce(r.token, 0) < held.token
        ORDER BY r.retry_at
        LIMIT 1
    )
FROM unnest($3::integer[], $4::bigint[]) AS held (partition, token)
