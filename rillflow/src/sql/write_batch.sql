-- Writes the documents of a batch and moves the checkpoint: both, or neither when the lease is lost (no row).
-- As `save_checkpoint`; $10 ids and $11 documents to store, $12 ids to remove
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
    RETURNING position
), letters AS (
    INSERT INTO public.dead_letters (projection, position, event_id, keys, error, attempts)
    SELECT $1, letter.position, letter.event_id, letter.keys, letter.error, letter.attempts
    FROM fence, json_to_recordset($9::text::json)
        AS letter (position bigint, event_id uuid, keys text[], error text, attempts integer)
    ON CONFLICT (projection, position) DO NOTHING
), written AS (
    INSERT INTO public.docs_collection AS stored (id, doc)
    SELECT batch.id, batch.doc::jsonb FROM fence, unnest($10::uuid[], $11::text[]) AS batch (id, doc)
    ON CONFLICT (id) DO UPDATE
        SET doc = excluded.doc, version = stored.version + 1, updated_at = now(), deleted_at = NULL/*meta , correlation_id = NULL, causation_id = NULL, headers = NULL,
            last_modified_by = NULL */
), removed AS (
    DELETE FROM public.docs_collection AS stored USING fence WHERE stored.id = ANY ($12::uuid[])
)
SELECT position FROM fence
