-- Takes a projection's checkpoint over into the present epoch of the log, from an older one. No row: the lease is lost.
-- $1 name, $2 token, $3 epoch, $4 position
UPDATE public.projections
SET epoch = $3::integer, position = $4::bigint
WHERE name = $1::text AND lease_token = $2::bigint AND lease_owner IS NOT NULL AND status = 'running'
RETURNING position
