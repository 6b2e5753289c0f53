-- Stores the staged documents whose ids are free; of several with one id the first.
INSERT INTO public.docs_collection (id, doc)
SELECT staged.id, staged.doc FROM pg_temp.rillflow_bulk AS staged ORDER BY staged.place
ON CONFLICT (id) DO NOTHING
