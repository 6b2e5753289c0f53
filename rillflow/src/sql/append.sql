-- Appends events to one stream. One row comes back; its columns are NULL when the stream is not as expected or archived.
--
-- The order is the point: the stream's row is locked, then the floor is announced, then positions are drawn. So a loser
-- draws nothing, a writer that waits for the row holds back no reader, and no position is drawn unannounced.
-- The trigger on `events` announces for everybody else; the setting tells it that this transaction has.
--
-- $1 stream_id, $2 category, $3 expected version (-1 any, -2 must exist, 0 must not exist)
-- $4.. one array each: event_id, type, type_version, data, headers, causation_id, correlation_id
WITH stream AS (
    INSERT INTO public.streams AS stored (stream_id, category, version)
    SELECT $1::uuid, $2::text, cardinality($4::uuid[])
    WHERE $3::bigint IN (-1, 0) OR EXISTS (SELECT FROM public.streams WHERE stream_id = $1)
    ON CONFLICT (stream_id) DO UPDATE SET version = stored.version + excluded.version
        WHERE ($3 < 0 OR stored.version = $3) AND stored.archived_at IS NULL
    RETURNING version - cardinality($4) AS base
), announced AS MATERIALIZED (
    SELECT base,
        set_config('rillflow.announced', 'on', true),
        pg_advisory_xact_lock_shared(
            ('public.events'::regclass::oid::bigint & 2147483647)::integer,
            (coalesce(pg_sequence_last_value('public.events_global_seq'), 0) & 2147483647)::integer
        )
    FROM stream
), drawn AS MATERIALIZED (
    SELECT nextval('public.events_global_seq') AS global_seq, base + place AS stream_seq, event.*
    FROM announced,
        unnest($4, $5::text[], $6::integer[], $7::text[], $8::text[], $9::uuid[], $10::uuid[]) WITH ORDINALITY
            AS event (event_id, type, type_version, data, headers, causation_id, correlation_id, place)
), recorded AS (
    INSERT INTO public.events (global_seq, stream_id, stream_seq, event_id, type, type_version, data, headers,
        causation_id, correlation_id)
    SELECT global_seq, $1, stream_seq, event_id, type, type_version, data::json, headers::jsonb,
        causation_id, correlation_id
    FROM drawn
)
SELECT max(stream_seq) AS version, array_agg(global_seq ORDER BY stream_seq) AS positions, now() AS created_at
FROM drawn
