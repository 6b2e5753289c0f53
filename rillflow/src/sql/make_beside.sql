-- Makes the table in which a read model is built beside the live one.
-- $1 table of the live one, $2 name of the key
SELECT public.rillflow_make_beside($1::text, $2::text)
