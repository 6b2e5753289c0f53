-- One collection of a session: documents that are put as they are, those with an expected version, and those removed.
-- All rows are locked in the order of their ids, after what came before in the session.
-- $1 ids and $2 documents to put; $3 ids, $4 documents and $5 expected versions (0: must not exist); $6 ids to remove,
-- $7 ids to mark as deleted; from $8 their metadata. A document that is marked so is neither put nor changed: fewer rows come back than were given.
put AS (
    INSERT INTO public.docs_collection AS stored (id, doc/*meta , correlation_id, causation_id, headers, last_modified_by */)
    SELECT batch.id, batch.doc::jsonb/*meta , $8::"uuid", $9::"uuid", $10::text::jsonb, $11::text */
    FROM (SELECT count(*) FROM before) AS first, unnest($1::uuid[], $2::text[]) AS batch (id, doc)
    ORDER BY batch.id
    ON CONFLICT (id) DO UPDATE
        SET doc = excluded.doc, version = stored.version + 1, updated_at = now()/*meta , correlation_id = excluded.correlation_id,
            causation_id = excluded.causation_id, headers = excluded.headers, last_modified_by = excluded.last_modified_by */
        WHERE stored.deleted_at IS NULL
    RETURNING id, version
), changed AS (
    INSERT INTO public.docs_collection AS stored (id, doc, version/*meta , correlation_id, causation_id, headers, last_modified_by */)
    SELECT batch.id, batch.doc::jsonb, batch.expected + 1/*meta , $8::"uuid", $9::"uuid", $10::text::jsonb, $11::text */
    FROM (SELECT count(*) FROM put) AS first,
        unnest($3::uuid[], $4::text[], $5::bigint[]) AS batch (id, doc, expected)
    WHERE batch.expected = 0
       OR EXISTS (SELECT FROM public.docs_collection there WHERE there.id = batch.id AND there.deleted_at IS NULL)
    ORDER BY batch.id
    ON CONFLICT (id) DO UPDATE SET doc = excluded.doc, version = excluded.version, updated_at = now()/*meta , correlation_id = excluded.correlation_id,
            causation_id = excluded.causation_id, headers = excluded.headers, last_modified_by = excluded.last_modified_by */
        WHERE stored.version = excluded.version - 1 AND stored.deleted_at IS NULL
    RETURNING id, version
), removed AS (
    DELETE FROM public.docs_collection AS stored
    USING (SELECT count(*) FROM changed) AS first
    WHERE stored.id = ANY ($6::uuid[])
    RETURNING id
), marked AS (
    UPDATE public.docs_collection AS stored
    SET deleted_at = now(), version = stored.version + 1, updated_at = now()/*meta , correlation_id = $8::"uuid", causation_id = $9::"uuid", headers = $10::text::jsonb,
    last_modified_by = $11::text */
    FROM (SELECT count(*) FROM removed) AS first
    WHERE stored.id = ANY ($7::uuid[]) AND stored.deleted_at IS NULL
    RETURNING id
)
