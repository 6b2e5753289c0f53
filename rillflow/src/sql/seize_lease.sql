-- Takes a projection from whoever runs it: what that owner has in hand is not written.
-- $1 name, $2 owner, $3 seconds
UPDATE public.projections
SET lease_owner = $2::uuid,
    lease_token = lease_token + 1,
    lease_until = clock_timestamp() + make_interval(secs => $3::double precision)
WHERE name = $1::text
RETURNING lease_token, version, epoch, position, event_position, event_id
