-- The schemas that begin like a tenant's and hold a store, and what tells one from another that had its name before.
-- $1 the beginning
SELECT namespace.nspname::text, namespace.oid::bigint
FROM pg_catalog.pg_namespace namespace
WHERE starts_with(namespace.nspname, $1::text)
  AND EXISTS (
      SELECT FROM pg_catalog.pg_class class
      WHERE class.relnamespace = namespace.oid AND class.relname = 'rillflow_migrations' AND class.relkind = 'r'
  )
ORDER BY 1
