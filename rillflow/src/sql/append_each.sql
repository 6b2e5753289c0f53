-- Appends one event to each of several streams; a row comes back for each stream that was as expected.
--
-- What `append_many` does, without what only keys, tags, messages and several events need: half of what that takes. The
-- order is the same: all stream rows are locked, in the order of their ids, before the floor is announced, and the floor
-- before the first position is drawn.
-- The parameters are asked for by SELECT so that PostgreSQL cannot see how long they are: where it can, few of them look
-- so much cheaper than the many that it has a plan for that it plans anew for each statement, which takes twice as long.
--
-- per stream, in the order of their ids, no stream twice:
-- $1 stream_id, $2 category, $3 expected version (-1 any, -2 must exist, 0 must not exist)
-- $4 event_id, $5 type, $6 type_version, $7 data, $8 headers, $9 causation_id, $10 correlation_id
-- $11 how long to wait for a stream that somebody else holds, such as '100ms'
WITH item AS MATERIALIZED (
    SELECT *
    FROM unnest((SELECT $1::uuid[] FROM set_config('lock_timeout', $11::text, true)), (SELECT $2::text[]),
        (SELECT $3::bigint[]), (SELECT $4::uuid[]), (SELECT $5::text[]), (SELECT $6::integer[]), (SELECT $7::text[]),
        (SELECT $8::text[]), (SELECT $9::uuid[]), (SELECT $10::uuid[])) WITH ORDINALITY
        AS item (stream_id, category, expected, event_id, type, type_version, data, headers, causation_id,
            correlation_id, number)
), stream AS (
    INSERT INTO public.streams AS stored (stream_id, category, version)
    SELECT stream_id, category, 1
    FROM item
    WHERE expected IN (-1, 0) OR EXISTS (SELECT FROM public.streams there WHERE there.stream_id = item.stream_id)
    ORDER BY stream_id
    ON CONFLICT (stream_id) DO UPDATE SET version = stored.version + 1
        WHERE stored.archived_at IS NULL AND EXISTS (
            SELECT FROM item
            WHERE item.stream_id = stored.stream_id AND (item.expected < 0 OR item.expected = stored.version)
        )
    RETURNING stream_id, version
), announced AS MATERIALIZED (
    -- counting makes sure that every row is locked before this goes on
    SELECT set_config('rillflow.announced', 'on', true),
        pg_advisory_xact_lock_shared(
            ('public.events'::regclass::oid::bigint & 2147483647)::integer,
            (coalesce(pg_sequence_last_value('public.events_global_seq'), 0) & 2147483647)::integer
        )
    FROM (SELECT count(*) AS streams FROM stream) AS locked
    WHERE streams > 0
), drawn AS MATERIALIZED (
    SELECT nextval('public.events_global_seq') AS global_seq, stream.version, item.*
    FROM announced, item JOIN stream USING (stream_id)
), recorded AS (
    INSERT INTO public.events (global_seq, stream_id, stream_seq, event_id, type, type_version, data, headers,
        causation_id, correlation_id)
    SELECT global_seq, stream_id, version, event_id, type, type_version, data::json, headers::jsonb, causation_id,
        correlation_id
    FROM drawn
)
SELECT version, global_seq, now() AS created_at, number FROM drawn
