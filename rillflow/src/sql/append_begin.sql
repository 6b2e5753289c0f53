-- Appends one event to one stream, which may begin by it. See `append_one.sql`.
WITH drawn AS (
    INSERT INTO public.streams AS stored (stream_id, category, version)
    VALUES ($1::uuid, $2::text, 1)
