-- Deletes the messages up to a position, which must not be past a mark that was computed.
-- $1 position
DELETE FROM public.outbox_messages WHERE position <= $1::bigint
