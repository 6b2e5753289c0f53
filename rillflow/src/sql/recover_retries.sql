-- Takes up what was out of the line when these partitions were taken over.
-- $1 subscription, $2 group, $3 partitions, $4 tokens, $5 attempts at most
SELECT public.rillflow_recover($1::text, $2::text, $3::integer[], $4::bigint[], $5::integer)::text
