-- Where events were recorded, to recognise an append that was made before.
-- $1 stream_id, $2 event ids
SELECT event_id, stream_seq, global_seq, type, type_version, data, created_at
FROM public.events
WHERE stream_id = $1::uuid AND event_id = ANY ($2::uuid[])
ORDER BY stream_seq
