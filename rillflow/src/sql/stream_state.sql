-- What is known of a stream; no row when there is none.
-- $1 stream_id
SELECT version, category, created_at, archived_at, deleted_at FROM public.streams WHERE stream_id = $1::uuid
