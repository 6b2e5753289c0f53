-- As `tags_written`, for an append that rests on what a query over tags found. A key that is known comes first.
-- $1 and $2 as there, $3 alternatives, each a text[] as text, $4 types, $5 the mark when it looked, $6 what it saw above it
tagged AS MATERIALIZED (
    SELECT set_config('rillflow.tagged', extract(epoch FROM statement_timestamp())::text, true),
        public.rillflow_require($2::text[], $3::text[], $4::text[], $5::bigint, $6::bigint[])
    FROM (SELECT count(*) FROM item) AS first
    WHERE NOT EXISTS (SELECT FROM known)
)
