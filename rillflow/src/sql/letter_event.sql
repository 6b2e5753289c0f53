-- The event of a dead letter.
-- $1 id of the letter
SELECT event.global_seq, event.stream_id, event.stream_seq, event.event_id, event.type, event.type_version, event.data,
    event.headers::text, event.causation_id, event.correlation_id, event.created_at
FROM public.dead_letters AS letter
JOIN public.events AS event ON event.global_seq = letter.position AND event.event_id = letter.event_id
WHERE letter.id = $1::bigint
