-- Whether a tenant is there, and not being dropped.
-- $1 tenant
SELECT EXISTS (SELECT FROM public.rillflow_tenants WHERE tenant = $1::text AND dropped_at IS NULL)
