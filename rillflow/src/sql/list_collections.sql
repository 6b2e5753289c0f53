-- The collections of a schema: name, type of the ids, estimated rows, bytes with indexes and TOAST, and how often the
-- table was read whole and by an index since the statistics began.
-- $1 schema
SELECT class.relname::text,
    format_type(id.atttypid, id.atttypmod),
    greatest(class.reltuples, 0)::bigint,
    pg_total_relation_size(class.oid),
    coalesce(stat.seq_scan, 0),
    coalesce(stat.idx_scan, 0)
FROM pg_catalog.pg_class class
JOIN pg_catalog.pg_namespace namespace ON namespace.oid = class.relnamespace
JOIN pg_catalog.pg_attribute id ON id.attrelid = class.oid AND id.attname = 'id' AND NOT id.attisdropped
JOIN pg_catalog.pg_attribute doc ON doc.attrelid = class.oid AND doc.attname = 'doc' AND NOT doc.attisdropped
LEFT JOIN pg_catalog.pg_stat_all_tables stat ON stat.relid = class.oid
WHERE namespace.nspname = $1::text
    AND class.relkind IN ('r', 'p')
    AND (class.relname = 'docs' OR class.relname LIKE 'docs\_%')
    AND doc.atttypid = 'jsonb'::regtype
ORDER BY class.relname
