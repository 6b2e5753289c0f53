-- Which of some events are still out of the line.
-- $1 subscription, $2 group, $3 positions
SELECT position FROM public.subscription_retries
WHERE subscription = $1::text AND group_name = $2::text AND position = ANY ($3::bigint[])
