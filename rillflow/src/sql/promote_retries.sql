-- Lets the first that wait of some streams go on.
-- $1 subscription, $2 group, $3 streams
SELECT public.rillflow_promote($1::text, $2::text, $3::uuid[], 100)::text
