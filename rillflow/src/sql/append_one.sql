    -- What both ways of appending one event go on with. No row comes back when the stream is not as expected.
    --
    -- The order is the point: the stream's row is locked, then the floor is announced, then a position is drawn. What is
    -- returned is computed once the row is locked, from left to right. So a loser draws nothing, a writer that waits for
    -- the row holds no reader up, and no position is drawn unannounced.
    -- The trigger on `events` announces for everybody else; the setting tells it that this transaction has. `recorded` is
    -- referenced by nobody, so it runs last and the trigger finds the setting.
    --
    -- $1 stream_id, $2 category, $3 expected version (-1 any, -2 must exist, 0 must not exist)
    -- $4 event_id, $5 type, $6 type_version, $7 data, $8 headers, $9 causation_id, $10 correlation_id
    ON CONFLICT (stream_id) DO UPDATE SET version = stored.version + 1
        WHERE stored.archived_at IS NULL AND ($3::bigint < 0 OR stored.version = $3)
    RETURNING version,
        set_config('rillflow.announced', 'on', true),
        pg_advisory_xact_lock_shared(
            ('public.events'::regclass::oid::bigint & 2147483647)::integer,
            (coalesce(pg_sequence_last_value('public.events_global_seq'), 0) & 2147483647)::integer
        ),
        nextval('public.events_global_seq') AS global_seq
), recorded AS (
    INSERT INTO public.events (global_seq, stream_id, stream_seq, event_id, type, type_version, data, headers,
        causation_id, correlation_id)
    SELECT global_seq, $1, version, $4::uuid, $5::text, $6::integer, $7::text::json, $8::text::jsonb, $9::uuid, $10::uuid
    FROM drawn
)
SELECT version, global_seq, now() AS created_at FROM drawn
