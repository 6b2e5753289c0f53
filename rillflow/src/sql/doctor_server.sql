-- The server, and what this connection may do there.
-- $1 schema
SELECT current_setting('server_version_num')::integer, current_setting('server_version'), pg_is_in_recovery(),
    current_user::text, current_database()::text, current_setting('server_encoding'),
    EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = $1::text),
    CASE
        WHEN NOT EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = $1) THEN NULL
        WHEN NOT has_schema_privilege($1, 'USAGE') THEN false
        WHEN to_regclass('public.rillflow_migrations') IS NULL THEN NULL
        ELSE has_table_privilege(to_regclass('public.rillflow_migrations'), 'SELECT')
    END
