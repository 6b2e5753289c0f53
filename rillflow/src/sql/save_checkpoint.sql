-- Moves a checkpoint that no document depends on. No row: the lease is lost.
-- $1 name, $2 token, $3 position, $4 position and $5 id of the last event (NULL keeps it), $6 seconds
UPDATE public.projections
SET position = $3::bigint,
    event_position = coalesce($4::bigint, event_position),
    event_id = coalesce($5, event_id),
    error = NULL,
    updated_at = clock_timestamp(),
    lease_until = clock_timestamp() + make_interval(secs => $6::double precision)
WHERE name = $1::text AND lease_token = $2::bigint AND lease_owner IS NOT NULL AND status = 'running'
RETURNING position
