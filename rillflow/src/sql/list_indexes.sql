-- The indexes of a table: name, whether it is valid, whether it guards uniqueness, how often it was used
-- since the statistics began, bytes.
-- $1 schema, $2 table
SELECT index_class.relname::text,
    index.indisvalid,
    index.indisunique,
    coalesce(stat.idx_scan, 0),
    pg_relation_size(index.indexrelid)
FROM pg_catalog.pg_index index
JOIN pg_catalog.pg_class index_class ON index_class.oid = index.indexrelid
JOIN pg_catalog.pg_class class ON class.oid = index.indrelid
JOIN pg_catalog.pg_namespace namespace ON namespace.oid = class.relnamespace
LEFT JOIN pg_catalog.pg_stat_all_indexes stat ON stat.indexrelid = index.indexrelid
WHERE namespace.nspname = $1::text AND class.relname = $2::text
ORDER BY index_class.relname
