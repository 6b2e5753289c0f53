-- Publishes the mark when it moved, and tells the listeners of every process. Writers never do: NOTIFY serialises commits.
-- It need not survive a crash, as it is computed again: so the commit does not wait for the disk.
-- $1 mark
-- $2 channel
WITH moved AS (
    UPDATE public.event_marks SET mark = $1::bigint, updated_at = clock_timestamp()
    WHERE mark < $1 AND set_config('synchronous_commit', 'off', true) IS NOT NULL
    RETURNING mark
)
SELECT pg_notify($2::text, mark::text) FROM moved
