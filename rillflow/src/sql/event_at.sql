-- The id of the event at a position.
-- $1 position
SELECT event_id FROM public.events WHERE global_seq = $1::bigint
