-- Whether there is a stream, and not its tombstone.
-- $1 stream_id
SELECT EXISTS (SELECT FROM public.streams WHERE stream_id = $1::uuid AND deleted_at IS NULL)
