-- Takes a tenant off the list, when everything of it is gone.
-- $1 tenant
DELETE FROM public.rillflow_tenants WHERE tenant = $1::text
