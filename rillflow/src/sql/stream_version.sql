-- The version of a stream; no row when there is none.
-- $1 stream_id
SELECT version FROM public.streams WHERE stream_id = $1::uuid
