-- Sets a checkpoint by hand. Whoever runs the projection loses it, and begins there.
-- $1 name, $2 position
UPDATE public.projections
SET position = $2::bigint,
    event_position = NULL, event_id = NULL, error = NULL,
    epoch = (SELECT epoch FROM public.event_marks),
    lease_owner = NULL, lease_until = clock_timestamp(), lease_token = lease_token + 1
WHERE name = $1::text
RETURNING name
