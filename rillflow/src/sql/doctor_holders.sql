-- Who holds the mark: each transaction that announced, from the lowest position on. A prepared one has no process.
-- $1 the last position drawn
SELECT $1::bigint - (($1::bigint - lock.objid::bigint) & 2147483647) AS announced,
    lock.pid, activity.usename::text, activity.application_name, activity.client_addr::text, activity.state,
    extract(epoch FROM clock_timestamp() - coalesce(activity.xact_start, prepared.prepared))::float8,
    extract(epoch FROM clock_timestamp() - activity.query_start)::float8,
    left(activity.query, 200), prepared.gid
FROM pg_catalog.pg_locks lock
LEFT JOIN pg_catalog.pg_stat_activity activity ON activity.pid = lock.pid
-- a transaction, prepared too, holds the lock on its own id
LEFT JOIN pg_catalog.pg_locks own
    ON lock.pid IS NULL AND own.pid IS NULL AND own.locktype = 'transactionid' AND own.mode = 'ExclusiveLock'
    AND own.virtualtransaction = lock.virtualtransaction
LEFT JOIN pg_catalog.pg_prepared_xacts prepared ON prepared.transaction = own.transactionid
WHERE lock.locktype = 'advisory'
    AND lock.granted
    AND lock.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())
    AND lock.classid::bigint = 'public.events'::regclass::oid::bigint & 2147483647
    AND lock.objsubid = 2
ORDER BY announced
LIMIT 5
