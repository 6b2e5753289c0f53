-- behind `fence.sql`: the documents of the batch; $10 ids and $11 documents to store, $12 ids to remove
, written AS (
    INSERT INTO public.docs_collection AS stored (id, doc)
    SELECT batch.id, batch.doc::jsonb FROM fence, unnest($10::uuid[], $11::text[]) AS batch (id, doc)
    ON CONFLICT (id) DO UPDATE
        SET doc = excluded.doc, version = stored.version + 1, updated_at = now(), deleted_at = NULL/*meta , correlation_id = NULL, causation_id = NULL, headers = NULL,
            last_modified_by = NULL */
), removed AS (
    DELETE FROM public.docs_collection AS stored USING fence WHERE stored.id = ANY ($12::uuid[])
)
SELECT position FROM fence
