-- The position up to which the global order is settled, and the last one drawn. Read the rows in a later statement.
SELECT mark, drawn FROM public.rillflow_safe_mark()
