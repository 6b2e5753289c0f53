-- Moves a checkpoint, with the letters of its batch, and what follows in the same statement. No row: the lease is lost, or
-- the checkpoint is not where this batch began, and nothing is written.
-- $1 name, $2 token, $3 from position, $4 position, $5 position and $6 id of the last event (NULL keeps it), $7 seconds,
-- $8 events handled, $9 letters
WITH fence AS (
    UPDATE public.projections
    SET position = $4::bigint,
        event_position = coalesce($5::bigint, event_position),
        event_id = coalesce($6, event_id),
        error = NULL,
        processed = processed + $8::bigint,
        rate = CASE
            WHEN $8 = 0 THEN rate
            ELSE $8 / greatest(extract(epoch FROM clock_timestamp() - updated_at), 0.001)::double precision END,
        updated_at = clock_timestamp(),
        lease_until = clock_timestamp() + make_interval(secs => $7::double precision)
    WHERE name = $1::text AND lease_token = $2::bigint AND lease_owner IS NOT NULL AND status = 'running'
      AND position = $3::bigint
    RETURNING position, coalesce(shard_of, name) AS projection
), letters AS (
    INSERT INTO public.dead_letters (projection, position, event_id, keys, error, attempts)
    SELECT fence.projection, letter.position, letter.event_id, letter.keys, letter.error, letter.attempts
    FROM fence, json_to_recordset($9::text::json)
        AS letter (position bigint, event_id uuid, keys text[], error text, attempts integer)
    ON CONFLICT (projection, position) DO NOTHING
)
