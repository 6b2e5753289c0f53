-- The position before the first event recorded at a time, or later. No row has an index by time that is in the order of
-- positions: `+ 0` keeps the planner from walking all of them.
-- $1 time
SELECT min(global_seq + 0) - 1 FROM public.events WHERE created_at >= $1::timestamptz
