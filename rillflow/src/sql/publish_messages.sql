-- The messages of an append or a session, behind its events: they are drawn and announced as those are.
-- $1 message ids, $2 topics, $3 keys, $4 headers, $5 payloads, $6 causation ids, $7 correlation ids
outgoing AS MATERIALIZED (
    SELECT nextval('public.events_global_seq') AS position, placed.*
    FROM announced, (
        SELECT message.*
        FROM (SELECT count(*) FROM drawn) AS events_first,
            unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::uuid[], $7::uuid[]) WITH ORDINALITY
                AS message (message_id, topic, key, headers, payload, causation_id, correlation_id, given)
        ORDER BY message.given
    ) AS placed
), published AS (
    INSERT INTO public.outbox_messages (position, message_id, topic, key, headers, payload, causation_id, correlation_id)
    SELECT position, message_id, topic, key, headers::jsonb, payload::json, causation_id, correlation_id
    FROM outgoing
)
