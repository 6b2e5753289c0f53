-- Small tables that change all the time, and have more dead rows than VACUUM keeps up with.
-- $1 schema
SELECT relname::text, n_live_tup, n_dead_tup,
    extract(epoch FROM clock_timestamp() - greatest(last_vacuum, last_autovacuum))::float8
FROM pg_catalog.pg_stat_all_tables
WHERE schemaname = $1::text
    AND relname IN ('projections', 'event_marks', 'subscription_partitions', 'subscription_members',
        'projection_workers', 'streams')
    AND n_dead_tup > 1000 AND n_dead_tup > 2 * n_live_tup
ORDER BY relname
