-- How far a projection is.
-- $1 name
SELECT name, version, status, position, lease_owner, lease_until > clock_timestamp() AS owned, error
FROM public.projections
WHERE name = $1::text
