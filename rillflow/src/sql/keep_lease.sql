-- Extends a lease that is still ours. No row: it is lost.
-- $1 name, $2 token, $3 seconds
UPDATE public.projections
SET lease_until = clock_timestamp() + make_interval(secs => $3::double precision)
WHERE name = $1::text AND lease_token = $2::bigint AND lease_owner IS NOT NULL AND status = 'running'
RETURNING name
