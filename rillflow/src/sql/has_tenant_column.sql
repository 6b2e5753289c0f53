-- Whether a schema's tables are shared by tenants: NULL when it holds no store.
SELECT CASE WHEN to_regclass('public.rillflow_migrations') IS NOT NULL
    THEN to_regclass('public.rillflow_tenants') IS NOT NULL END
