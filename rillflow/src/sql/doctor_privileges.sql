-- What this role may do with the tables of the store: read, append, own.
SELECT has_table_privilege('public.events', 'SELECT'), has_table_privilege('public.events', 'INSERT'),
    pg_has_role((SELECT relowner FROM pg_catalog.pg_class WHERE oid = 'public.events'::regclass), 'USAGE')
