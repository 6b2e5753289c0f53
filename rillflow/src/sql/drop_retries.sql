-- Forgets what cannot be tried again, as the stream was deleted.
-- $1 subscription, $2 group, $3 positions
DELETE FROM public.subscription_retries
WHERE subscription = $1::text AND group_name = $2::text AND position = ANY ($3::bigint[])
RETURNING stream_id
