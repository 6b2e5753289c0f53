-- What a checkpoint is compared with: the epoch, the last position drawn, and the event at a position, also a removed one,
-- or the message.
-- $1 position
SELECT epoch, coalesce(pg_sequence_last_value('public.events_global_seq'), 0), coalesce(
    (SELECT event_id FROM public.events WHERE global_seq = $1::bigint),
    (SELECT event_id FROM public.removed_events WHERE global_seq = $1),
    (SELECT message_id FROM public.outbox_messages WHERE position = $1)
)
FROM public.event_marks
