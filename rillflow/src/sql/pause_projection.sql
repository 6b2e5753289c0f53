-- Pauses a projection: whoever runs it loses it, and writes nothing more.
-- $1 name
UPDATE public.projections
SET status = 'paused', lease_owner = NULL, lease_until = clock_timestamp(), lease_token = lease_token + 1
WHERE name = $1::text
RETURNING name
