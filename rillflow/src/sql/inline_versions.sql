-- Of which version the read models of inline projections are; NULL where nobody noted it.
-- $1 names
SELECT wanted.name, coalesce(
    (SELECT version FROM public.projections WHERE name = wanted.name || '@inline'),
    (SELECT 0 FROM public.projections WHERE name = wanted.name)
)
FROM unnest($1::text[]) AS wanted (name)
