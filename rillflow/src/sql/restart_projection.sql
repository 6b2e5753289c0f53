-- Begins a projection anew, for a version of it, in the transaction that empties what it wrote.
-- $1 name, $2 token, $3 version
UPDATE public.projections
SET version = $3::integer, position = 0, event_position = NULL, event_id = NULL, error = NULL, processed = 0,
    failures = 0, rate = 0, epoch = (SELECT epoch FROM public.event_marks)
WHERE name = $1::text AND lease_token = $2::bigint AND lease_owner IS NOT NULL AND status = 'running'
RETURNING position
