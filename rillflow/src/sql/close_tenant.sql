-- Lets a tenant take no row any more. No row: there is none of that name.
-- $1 tenant
UPDATE public.rillflow_tenants SET dropped_at = coalesce(dropped_at, clock_timestamp())
WHERE tenant = $1::text
RETURNING tenant
