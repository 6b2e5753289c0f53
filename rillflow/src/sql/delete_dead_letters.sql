-- Deletes dead letters for good.
-- $1 subscription, $2 ids
DELETE FROM public.subscription_dead_letters WHERE subscription = $1::text AND id = ANY ($2::bigint[])
