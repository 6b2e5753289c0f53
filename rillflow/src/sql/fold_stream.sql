-- What a fold needs of a stream, in order.
-- $1 stream_id
SELECT stream_seq, type, type_version, data
FROM public.events
WHERE stream_id = $1::uuid
ORDER BY stream_seq
