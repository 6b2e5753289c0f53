-- Lets a projection run again.
-- $1 name
UPDATE public.projections SET status = 'running', error = NULL WHERE name = $1::text RETURNING name
