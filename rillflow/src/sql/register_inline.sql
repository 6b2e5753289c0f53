-- Notes of which version the read model of an inline projection is, where nobody did. Of version 0, which is nobody's, is one
-- that does not hold what is in the log: it ran behind the appends until now, or is new where there are events already.
-- $1 name, $2 version, $3 stored names of its events
INSERT INTO public.projections (name, version, status, epoch, beside)
SELECT $1::text || '@inline', CASE
        WHEN EXISTS (SELECT FROM public.projections WHERE name = $1 AND position > 0) THEN 0
        WHEN NOT EXISTS (SELECT FROM public.docs_collection)
            AND EXISTS (SELECT FROM public.events WHERE type = ANY ($3::text[])) THEN 0
        ELSE $2::integer END,
    'paused', epoch, $1
FROM public.event_marks
ON CONFLICT (name) DO NOTHING
