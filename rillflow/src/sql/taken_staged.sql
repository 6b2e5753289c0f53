-- The id of a staged document that was not stored, as it was taken: by one that was there, or by another staged one.
SELECT coalesce(
    (
        SELECT staged.id::text
        FROM pg_temp.rillflow_bulk AS staged
        JOIN public.docs_collection AS stored ON stored.id = staged.id
        WHERE stored.xmin <> pg_current_xact_id()::xid
        LIMIT 1
    ),
    (SELECT id::text FROM pg_temp.rillflow_bulk GROUP BY id HAVING count(*) > 1 LIMIT 1)
)
