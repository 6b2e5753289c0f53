-- The events that carry all tags of one of the alternatives, in their order: what a decision is made on.
-- $1 alternatives, each a text[] as text, $2 types
SELECT DISTINCT ON (global_seq) global_seq, stream_id, type, type_version, data
FROM unnest($1::text[]) AS alternative (tags)
CROSS JOIN LATERAL (
    SELECT event.* FROM public.events AS event WHERE event.tags @> alternative.tags::text[]
) AS event
WHERE type = ANY ($2::text[])
ORDER BY global_seq
