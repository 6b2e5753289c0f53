-- Reads messages in the order of their positions, never past a mark computed in an EARLIER statement.
-- $1 after this position, $2 the mark, $3 limit
SELECT position, message_id, topic, key, headers::text, payload, causation_id, correlation_id, created_at
FROM public.outbox_messages
WHERE position > $1::bigint AND position <= $2::bigint
ORDER BY position
LIMIT $3::bigint
