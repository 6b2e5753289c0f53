-- Takes a projection that nobody owns, by the server's clock; every owner gets a token of its own.
-- No row comes back while another owner holds it, while it is paused, or when a newer version of it has been here.
-- $1 name, $2 owner, $3 seconds, $4 version
UPDATE public.projections
SET lease_owner = $2::uuid,
    lease_token = lease_token + 1,
    lease_until = clock_timestamp() + make_interval(secs => $3::double precision)
WHERE name = $1::text
  AND status = 'running'
  AND version <= $4::integer
  AND (lease_owner IS NULL OR lease_until < clock_timestamp())
RETURNING lease_token, version, epoch, position, event_position, event_id
