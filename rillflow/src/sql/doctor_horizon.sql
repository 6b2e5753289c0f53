-- The oldest transaction that keeps VACUUM from dead rows: who, and for how long.
SELECT pid, application_name, state, extract(epoch FROM clock_timestamp() - xact_start)::float8
FROM pg_catalog.pg_stat_activity
WHERE datname = current_database() AND backend_xmin IS NOT NULL AND xact_start IS NOT NULL AND pid <> pg_backend_pid()
ORDER BY xact_start
LIMIT 1
