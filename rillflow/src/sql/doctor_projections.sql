-- How far each projection is, who runs it, what stops it.
SELECT name, status, position, lease_until > clock_timestamp(), error,
    extract(epoch FROM clock_timestamp() - updated_at)::float8
FROM public.projections
WHERE beside IS NULL
ORDER BY name
