-- Keeps what stopped a projection where people look for it.
-- $1 name, $2 token, $3 error
UPDATE public.projections
SET error = $3::text, failures = failures + 1, failed_at = clock_timestamp()
WHERE name = $1::text AND lease_token = $2::bigint
