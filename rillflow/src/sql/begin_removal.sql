-- Lets this transaction, and no other, still write for a tenant that takes no row any more.
-- $1 tenant
SELECT set_config('rillflow.dropping', $1::text, true)
