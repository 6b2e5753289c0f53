-- Reads messages for some partitions of a group in the form of events, never past a mark computed in an EARLIER statement:
-- the key stands for the stream, the topic for the type, and the headers hold the key too.
-- $1 after this position, $2 the mark, $3 limit, $4 how many partitions there are, $5 which of them,
-- $6 the epoch that the position belongs to
SELECT position, public.rillflow_key(key), position, message_id, topic, 1, payload,
    jsonb_build_object('key', key, 'headers', headers)::text, causation_id, correlation_id, created_at,
    public.rillflow_partition(public.rillflow_key(key), $4::integer)
FROM public.outbox_messages
WHERE (SELECT public.rillflow_in_epoch($6::integer))
    AND position > $1::bigint AND position <= $2::bigint
    AND public.rillflow_partition(public.rillflow_key(key), $4) = ANY ($5::integer[])
ORDER BY position
LIMIT $3::bigint
