-- Appends one event to one stream, which must be there. See `append_one.sql`.
WITH drawn AS (
    INSERT INTO public.streams AS stored (stream_id, category, version)
    SELECT $1::uuid, $2::text, 1
    WHERE EXISTS (SELECT FROM public.streams WHERE stream_id = $1)
