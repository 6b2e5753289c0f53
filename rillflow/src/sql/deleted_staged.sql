-- A staged document that was not stored because it is deleted.
SELECT stored.id::text
FROM pg_temp.rillflow_bulk AS staged
JOIN public.docs_collection AS stored ON stored.id = staged.id
WHERE stored.deleted_at IS NOT NULL
LIMIT 1
