-- Events that a projection failed on or that wait, in their order. No event: its stream was deleted.
-- $1 projection, $2 after this id's position (0 for all), $3 limit
SELECT letter.id, letter.position, letter.event_id, letter.keys, letter.error, letter.attempts, letter.created_at,
    letter.updated_at, event.type, event.data::text
FROM public.dead_letters AS letter
LEFT JOIN public.events AS event ON event.global_seq = letter.position AND event.event_id = letter.event_id
WHERE letter.projection = $1::text AND letter.position > $2::bigint
ORDER BY letter.position
LIMIT $3::bigint
