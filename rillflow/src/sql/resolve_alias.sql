-- The stream that an alias stands for; the proposed one when nobody was first. Who comes second waits for the first to
-- commit and gets the same; one that is known is only read.
-- $1 alias, $2 the proposed stream_id
WITH known AS (
    SELECT stream_id FROM public.stream_aliases WHERE alias = $1::text
), made AS (
    INSERT INTO public.stream_aliases AS stored (alias, stream_id)
    SELECT $1, $2::uuid WHERE NOT EXISTS (SELECT FROM known)
    ON CONFLICT (alias) DO UPDATE SET stream_id = stored.stream_id
    RETURNING stream_id
)
SELECT stream_id FROM known UNION ALL SELECT stream_id FROM made
