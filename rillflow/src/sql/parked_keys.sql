-- The keys whose events wait behind one that failed.
-- $1 projection
SELECT DISTINCT unnest(keys) FROM public.dead_letters WHERE projection = $1::text
