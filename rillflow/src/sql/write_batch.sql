-- Writes the documents of a batch and moves the checkpoint: both, or neither when the lease is lost (no row).
-- $1 name, $2 token, $3 position, $4 position and $5 id of the last event, $6 seconds, $7 ids, $8 documents
WITH fence AS (
    UPDATE public.projections
    SET position = $3::bigint,
        event_position = coalesce($4::bigint, event_position),
        event_id = coalesce($5, event_id),
        error = NULL,
        updated_at = clock_timestamp(),
        lease_until = clock_timestamp() + make_interval(secs => $6::double precision)
    WHERE name = $1::text AND lease_token = $2::bigint AND lease_owner IS NOT NULL AND status = 'running'
    RETURNING position
), written AS (
    INSERT INTO public.docs_collection AS stored (id, doc)
    SELECT batch.id, batch.doc::jsonb FROM fence, unnest($7::uuid[], $8::text[]) AS batch (id, doc)
    ON CONFLICT (id) DO UPDATE
        SET doc = excluded.doc, version = stored.version + 1, updated_at = now(), deleted_at = NULL/*meta , correlation_id = NULL, causation_id = NULL, headers = NULL,
            last_modified_by = NULL */
)
SELECT position FROM fence
