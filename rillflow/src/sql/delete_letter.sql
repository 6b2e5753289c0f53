-- Gives an event up for good.
-- $1 projection, $2 id
DELETE FROM public.dead_letters WHERE projection = $1::text AND id = $2::bigint RETURNING id
