-- Notes in which state a sync left the schema.
-- $1 wanted
-- $2 relations
-- $3 complete
INSERT INTO public.rillflow_syncs (wanted, relations, state, complete)
VALUES ($1::text, $2::text[], public.rillflow_catalog_state($2), $3::boolean)
ON CONFLICT ON CONSTRAINT rillflow_syncs_pkey DO UPDATE
SET relations = excluded.relations, state = excluded.state, complete = excluded.complete, synced_at = now()
