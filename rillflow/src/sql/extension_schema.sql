-- The schema, as a quoted identifier, that an extension was installed in: its operator classes are named with it.
-- $1 extension
SELECT quote_ident(n.nspname)
FROM pg_catalog.pg_extension AS e
JOIN pg_catalog.pg_namespace AS n ON n.oid = e.extnamespace
WHERE e.extname = $1::text
