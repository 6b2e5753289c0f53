-- What the schema holds: name and kind of each relation, and whether an index is valid.
-- $1 schema
SELECT class.relname::text, class.relkind::text, coalesce(index.indisvalid, true)
FROM pg_catalog.pg_class class
JOIN pg_catalog.pg_namespace namespace ON namespace.oid = class.relnamespace
LEFT JOIN pg_catalog.pg_index index ON index.indexrelid = class.oid
WHERE namespace.nspname = $1::text AND class.relkind IN ('r', 'p', 'v', 'm', 'f', 'S', 'i')
