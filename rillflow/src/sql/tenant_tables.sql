-- The tables whose rows are each a tenant's, also those that this program does not know.
SELECT class.relname::text
FROM pg_catalog.pg_policy policy
JOIN pg_catalog.pg_class class ON class.oid = policy.polrelid
WHERE policy.polname = 'rillflow_tenant'
    AND class.relnamespace = (SELECT relnamespace FROM pg_catalog.pg_class WHERE oid = 'public.events'::regclass)
ORDER BY class.relname
