-- Empties a collection that a projection owns.
DELETE FROM public.docs_collection
