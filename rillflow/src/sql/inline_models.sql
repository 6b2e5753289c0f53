-- The inline projections whose read model is known, and of which version it is.
SELECT beside, version FROM public.projections WHERE name = beside || '@inline' ORDER BY beside
