-- Forgets idempotency keys that are older than so many seconds.
-- $1 seconds
DELETE FROM public.idempotency_keys
WHERE created_at < clock_timestamp() - make_interval(secs => $1::double precision)
