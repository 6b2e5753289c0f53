-- Whether the schema holds a store.
-- $1 schema
SELECT EXISTS (
    SELECT FROM pg_catalog.pg_class class
    JOIN pg_catalog.pg_namespace namespace ON namespace.oid = class.relnamespace
    WHERE namespace.nspname = $1::text AND class.relname = 'rillflow_migrations' AND class.relkind = 'r'
)
