-- The stream that an alias stands for, when somebody asked before.
-- $1 alias
SELECT stream_id FROM public.stream_aliases WHERE alias = $1::text
