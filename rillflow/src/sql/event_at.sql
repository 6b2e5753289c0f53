-- The id of the event at a position, also of one that was removed with its stream.
-- $1 position
SELECT event_id FROM public.events WHERE global_seq = $1::bigint
UNION ALL
SELECT event_id FROM public.removed_events WHERE global_seq = $1
