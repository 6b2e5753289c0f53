-- Publishes the mark when it moved, and tells the listeners of every process. Writers never do: NOTIFY serialises commits.
-- $1 mark
WITH moved AS (
    UPDATE public.event_marks SET mark = $1::bigint, updated_at = clock_timestamp()
    WHERE mark < $1
    RETURNING mark
)
SELECT pg_notify('public.rillflow_mark', mark::text) FROM moved
