-- Writes the documents of an inline projection. Fewer rows than documents: somebody else made one of them meanwhile.
-- No rows at all: the read model is of another version than the code that folded them.
-- $1 ids, $2 documents, $3 the versions they were loaded at, 0 for a new one; $4 ids to remove and $5 their versions;
-- $6 the inline projection, $7 the version of its code; NULL: the model is nobody else's to write
WITH serves AS (
    SELECT WHERE $6::text IS NULL OR $7::bigint = coalesce(
        (SELECT version FROM public.projections WHERE name = $6 || '@inline'),
        -- it ran behind the appends, and was not built anew since
        (SELECT 0 FROM public.projections WHERE name = $6),
        $7
    )
), written AS (
    INSERT INTO public.docs_collection AS stored (id, doc, version)
    SELECT batch.id, batch.doc::jsonb, batch.loaded + 1
    FROM serves, unnest($1::uuid[], $2::text[], $3::bigint[]) AS batch (id, doc, loaded)
    ON CONFLICT (id) DO UPDATE
        SET doc = excluded.doc, version = excluded.version, updated_at = now(), deleted_at = NULL/*meta , correlation_id = NULL, causation_id = NULL, headers = NULL,
            last_modified_by = NULL */
        WHERE stored.version = excluded.version - 1
    RETURNING id
), removed AS (
    DELETE FROM public.docs_collection AS stored
    USING serves, unnest($4::uuid[], $5::bigint[]) AS batch (id, loaded)
    WHERE stored.id = batch.id AND stored.version = batch.loaded
    RETURNING stored.id
)
SELECT id FROM written
UNION ALL
SELECT id FROM removed
UNION ALL
-- one that was not there, and of which nothing was to be kept: whoever made it meanwhile must not be passed over
SELECT batch.id FROM serves, unnest($4::uuid[], $5::bigint[]) AS batch (id, loaded)
WHERE batch.loaded = 0 AND NOT EXISTS (SELECT FROM public.docs_collection AS stored WHERE stored.id = batch.id)
