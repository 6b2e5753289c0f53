-- Ends the caller's transaction: it must not commit.
SELECT public.rillflow_refuse()
