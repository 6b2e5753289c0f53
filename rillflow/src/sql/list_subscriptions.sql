-- Subscriptions as they are stored.
-- $1 name (NULL: all)
SELECT name, filter::text, start_position, created_at
FROM public.subscriptions
WHERE $1::text IS NULL OR name = $1
ORDER BY name
