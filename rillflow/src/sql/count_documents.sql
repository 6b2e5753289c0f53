-- How many documents there are.
SELECT count(*) FROM public.docs_collection WHERE deleted_at IS NULL
