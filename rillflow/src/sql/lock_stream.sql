-- Waits until nobody else who asks for this lock appends to the stream; until the transaction ends.
-- $1 stream_id
SELECT pg_advisory_xact_lock(hashtextextended('rillflow stream ' || $1::uuid::text, 0))
