-- Deletes a stream and leaves its tombstone. False: there is no such stream.
-- $1 stream_id
SELECT public.rillflow_delete_stream($1::uuid)
