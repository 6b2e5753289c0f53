-- Publishes messages alone. The trigger announces before the first position is drawn.
-- $1 message ids, $2 topics, $3 keys, $4 headers, $5 payloads, $6 causation ids, $7 correlation ids
INSERT INTO public.outbox_messages (message_id, topic, key, headers, payload, causation_id, correlation_id)
SELECT message_id, topic, key, headers::jsonb, payload::json, causation_id, correlation_id
FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::uuid[], $7::uuid[]) WITH ORDINALITY
    AS message (message_id, topic, key, headers, payload, causation_id, correlation_id, given)
ORDER BY given
RETURNING position
