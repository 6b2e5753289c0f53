-- Keeps a state, unless a newer one of its shape is there. The stream's row is locked against deletion only, so a
-- snapshot neither waits for appends nor outlives its stream. Shapes that nobody wrote for a week go with it.
-- $1 stream_id, $2 aggregate, $3 fingerprint, $4 stream_seq, $5 state
WITH stream AS MATERIALIZED (
    SELECT stream_id FROM public.streams WHERE stream_id = $1::uuid AND deleted_at IS NULL FOR KEY SHARE
), forgotten AS (
    DELETE FROM public.snapshots
    WHERE stream_id = $1 AND aggregate = $2::text AND fingerprint <> $3::bigint
        AND created_at < now() - interval '7 days'
)
INSERT INTO public.snapshots AS stored (stream_id, aggregate, fingerprint, stream_seq, state)
SELECT stream_id, $2, $3, $4::bigint, $5::text::json FROM stream
ON CONFLICT (stream_id, aggregate, fingerprint) DO UPDATE
    SET stream_seq = excluded.stream_seq, state = excluded.state, created_at = excluded.created_at
    WHERE stored.stream_seq < excluded.stream_seq
