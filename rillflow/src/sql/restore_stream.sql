-- Opens an archived stream again. True: it is a tombstone and stays one. No row: there is no such stream.
-- $1 stream_id
UPDATE public.streams SET archived_at = CASE WHEN deleted_at IS NOT NULL THEN archived_at END
WHERE stream_id = $1::uuid
RETURNING deleted_at IS NOT NULL
