-- Indexes of the schema that are invalid, or that nothing has used since the statistics began and that guard nothing.
-- $1 schema
SELECT class.relname::text, index_class.relname::text, index.indisvalid, pg_relation_size(index.indexrelid)
FROM pg_catalog.pg_index index
JOIN pg_catalog.pg_class index_class ON index_class.oid = index.indexrelid
JOIN pg_catalog.pg_class class ON class.oid = index.indrelid
JOIN pg_catalog.pg_namespace namespace ON namespace.oid = class.relnamespace
LEFT JOIN pg_catalog.pg_stat_all_indexes stat ON stat.indexrelid = index.indexrelid
WHERE namespace.nspname = $1::text
    AND (NOT index.indisvalid
        OR class.relname LIKE 'docs\_%' AND NOT index.indisunique AND coalesce(stat.idx_scan, 0) = 0
            AND class.reltuples >= 1000)
ORDER BY index.indisvalid, class.relname, index_class.relname
