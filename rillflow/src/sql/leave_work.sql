-- A process stops running projections: its leases are free, and its share goes to the others.
-- $1 owner
WITH freed AS (
    UPDATE public.projections SET lease_owner = NULL, lease_until = clock_timestamp() WHERE lease_owner = $1::uuid
)
DELETE FROM public.projection_workers WHERE owner = $1
