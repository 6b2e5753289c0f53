-- The tenants, and what tells one from another that had its name before.
SELECT tenant, (extract(epoch FROM created_at) * 1000000)::bigint
FROM public.rillflow_tenants
WHERE dropped_at IS NULL
ORDER BY tenant
