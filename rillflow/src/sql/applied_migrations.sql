-- The migrations that this schema has.
SELECT version FROM public.rillflow_migrations ORDER BY version
