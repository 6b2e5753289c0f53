-- Gives a lease back, so that the next owner need not wait for it to run out.
-- $1 name, $2 token
UPDATE public.projections
SET lease_owner = NULL, lease_until = clock_timestamp()
WHERE name = $1::text AND lease_token = $2::bigint
