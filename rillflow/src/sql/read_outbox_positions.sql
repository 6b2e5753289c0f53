-- Reads single messages in the form of events.
-- $1 positions
SELECT position, public.rillflow_key(key), position, message_id, topic, 1, payload,
    jsonb_build_object('key', key, 'headers', headers)::text, causation_id, correlation_id, created_at
FROM public.outbox_messages
WHERE position = ANY ($1::bigint[])
ORDER BY position
