-- Dead letters, the oldest first.
-- $1 subscription, $2 group (NULL: all), $3 limit
SELECT id, subscription, group_name, position, stream_id, attempts, error, dead_at
FROM public.subscription_dead_letters
WHERE subscription = $1::text AND ($2::text IS NULL OR group_name = $2)
ORDER BY position, id
LIMIT $3::bigint
