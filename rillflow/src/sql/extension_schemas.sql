-- The schemas, as quoted identifiers, that extensions were installed in: their operator classes are named with them.
-- $1 extensions
SELECT extension.extname::text, quote_ident(namespace.nspname)
FROM pg_catalog.pg_extension extension
JOIN pg_catalog.pg_namespace namespace ON namespace.oid = extension.extnamespace
WHERE extension.extname = ANY ($1::text[])
