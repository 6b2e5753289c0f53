-- Makes tombstones of all streams of a tenant, so that their events may go.
UPDATE public.streams SET archived_at = coalesce(archived_at, now()), deleted_at = now() WHERE deleted_at IS NULL
