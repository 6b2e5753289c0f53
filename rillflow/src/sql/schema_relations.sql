-- The names of everything in the schema that a table could not share a name with.
-- $1 schema
SELECT class.relname::text
FROM pg_catalog.pg_class class
JOIN pg_catalog.pg_namespace namespace ON namespace.oid = class.relnamespace
WHERE namespace.nspname = $1::text AND class.relkind IN ('r', 'p', 'v', 'm', 'f', 'S', 'i', 'c')
