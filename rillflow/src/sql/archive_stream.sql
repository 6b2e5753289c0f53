-- Closes a stream to appends; one that is open is waited for. True: it is a tombstone. No row: there is no such stream.
-- $1 stream_id
UPDATE public.streams SET archived_at = coalesce(archived_at, now())
WHERE stream_id = $1::uuid
RETURNING deleted_at IS NOT NULL
