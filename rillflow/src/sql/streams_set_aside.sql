-- Which of some streams have events out of the line: later ones wait behind those.
-- $1 subscription, $2 group, $3 streams
SELECT DISTINCT stream_id FROM public.subscription_retries
WHERE subscription = $1::text AND group_name = $2::text AND stream_id = ANY ($3::uuid[])
