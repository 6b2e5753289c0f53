-- Puts the read model beside the live one in its place, all at once.
-- $1 projection, $2 token, $3 table of the live one, $4 `rebuild` or `old`, $5 names of its indexes, $6 what they are
-- called beside, $7 what the live ones are to be called
SELECT public.rillflow_swap_read_model($1::text, $2::bigint, $3::text, $4::text, $5::text[], $6::text[], $7::text[])
