-- Splits a projection anew, when one owner holds all its shards and they are at one position.
-- $1 name, $2 owner, $3 shards
SELECT public.rillflow_split($1::text, $2::uuid, $3::integer)
