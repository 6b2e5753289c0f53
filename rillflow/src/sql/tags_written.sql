-- Locks the tags of appends before their streams are locked.
-- $1 tags of each event, a text[] as text, NULL for none; $2 all of them, each once
tagged AS MATERIALIZED (
    SELECT set_config('rillflow.tagged', extract(epoch FROM statement_timestamp())::text, true),
        public.rillflow_lock_tags($2::text[], '{}')
    FROM (SELECT count(*) FROM item) AS first
)
