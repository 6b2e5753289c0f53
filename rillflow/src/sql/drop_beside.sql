-- Gives up a read model beside the live one: whoever builds it writes nothing more.
-- $1 projection, $2 table of the live one, $3 `rebuild` or `old`
SELECT public.rillflow_drop_beside($1::text, $2::text, $3::text)
