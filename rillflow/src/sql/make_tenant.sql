-- Makes a tenant, unless it is there. No row: it is being dropped.
-- $1 tenant
INSERT INTO public.rillflow_tenants AS known (tenant) VALUES ($1::text)
ON CONFLICT ON CONSTRAINT rillflow_tenants_pkey DO UPDATE SET created_at = known.created_at WHERE known.dropped_at IS NULL
RETURNING tenant
