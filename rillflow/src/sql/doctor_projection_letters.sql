-- Events that each projection failed on.
SELECT projection, count(*), min(position) FROM public.dead_letters WHERE error IS NOT NULL GROUP BY 1 ORDER BY 1
