-- Over how many partitions a group spreads its streams.
-- $1 subscription, $2 group
SELECT partitions FROM public.subscription_groups WHERE subscription = $1::text AND group_name = $2::text
