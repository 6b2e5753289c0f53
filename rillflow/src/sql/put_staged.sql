-- Stores the staged documents over those that are there; of several with one id the last. In the order of their ids,
-- so that two writers wait for each other instead of standing in each other's way.
INSERT INTO public.docs_collection AS stored (id, doc)
SELECT DISTINCT ON (staged.id) staged.id, staged.doc
FROM pg_temp.rillflow_bulk AS staged
ORDER BY staged.id, staged.place DESC
ON CONFLICT (id) DO UPDATE
    SET doc = excluded.doc, version = stored.version + 1, updated_at = now()/*meta , correlation_id = NULL, causation_id = NULL, headers = NULL,
            last_modified_by = NULL */
    WHERE stored.deleted_at IS NULL
