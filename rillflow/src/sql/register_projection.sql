-- Makes the row of a projection, or finds it.
-- $1 name, $2 version
INSERT INTO public.projections (name, version, epoch)
SELECT $1::text, $2::integer, epoch FROM public.event_marks
ON CONFLICT (name) DO NOTHING
