-- Makes the row of a read model beside the live one, or finds the one that was begun for this version.
-- No row: one was begun for another version.
-- $1 projection, $2 version
INSERT INTO public.projections (name, version, epoch, beside)
SELECT $1::text || '@rebuild', $2::integer, epoch, $1 FROM public.event_marks
ON CONFLICT (name) DO UPDATE SET status = 'running' WHERE projections.version = excluded.version
RETURNING name
