-- How much a schema holds: the last position drawn, and the bytes of its tables with their indexes.
-- $1 schema
SELECT
    coalesce(pg_sequence_last_value('public.events_global_seq'), 0),
    (
        SELECT coalesce(sum(pg_total_relation_size(class.oid)), 0)::bigint
        FROM pg_catalog.pg_class class
        JOIN pg_catalog.pg_namespace namespace ON namespace.oid = class.relnamespace
        WHERE namespace.nspname = $1::text AND class.relkind IN ('r', 'm')
    )
