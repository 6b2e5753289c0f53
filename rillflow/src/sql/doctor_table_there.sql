-- Whether a table of the schema is there.
-- $1 schema, $2 table
SELECT EXISTS (
    SELECT FROM pg_catalog.pg_class class JOIN pg_catalog.pg_namespace namespace ON namespace.oid = class.relnamespace
    WHERE namespace.nspname = $1::text AND class.relname = $2::text
)
