-- Appends any number of events to any number of streams; one row per stream comes back.
--
-- As `append_one`: all stream rows are locked, in the order of their ids, before the floor is announced, and the floor
-- before the first position is drawn. Streams stand for themselves: one that is not as expected comes back without a
-- version and leaves the others be. An idempotency key that is known comes first: its stream is left alone, and the
-- first result comes back.
--
-- per stream, in the order of their ids, no stream twice:
-- $1 stream_id, $2 category, $3 expected version (-1 any, -2 must exist, 0 must not exist), $4 number of events,
-- $5 scope and $6 idempotency key (NULL for none), $7 fingerprint of the events
-- per event: $8 number of its stream in those arrays, $9 its place among the stream's new events,
-- $10 event_id, $11 type, $12 type_version, $13 data, $14 headers, $15 causation_id, $16 correlation_id
-- (the comments within are where tags, messages and a session's documents are put: sql/appends.rs, sql/session.rs)
-- $17 how long to wait for a stream that somebody else holds, such as '100ms'; NULL to leave the session's setting
WITH item AS MATERIALIZED (
    SELECT *, CASE WHEN $17::text IS NULL THEN '' ELSE set_config('lock_timeout', $17, true) END
    FROM unnest($1::uuid[], $2::text[], $3::bigint[], $4::bigint[], $5::text[], $6::text[], $7::uuid[]) WITH ORDINALITY
        AS item (stream_id, category, expected, events, scope, key, fingerprint, number)
), known AS MATERIALIZED (
    SELECT item.number, stored.fingerprint = item.fingerprint AS same, stored.version, stored.positions,
        stored.created_at
    FROM item JOIN public.idempotency_keys stored ON stored.scope = item.scope AND stored.key = item.key
)/* tagged */, stream AS (
    INSERT INTO public.streams AS stored (stream_id, category, version)
    SELECT stream_id, category, events
    FROM item/* after tagged */
    WHERE number NOT IN (SELECT number FROM known)
      AND (expected IN (-1, 0) OR EXISTS (SELECT FROM public.streams there WHERE there.stream_id = item.stream_id))
    ORDER BY stream_id
    ON CONFLICT (stream_id) DO UPDATE SET version = stored.version + excluded.version
        WHERE stored.archived_at IS NULL AND EXISTS (
            SELECT FROM item
            WHERE item.stream_id = stored.stream_id AND (item.expected < 0 OR item.expected = stored.version)
        )
    RETURNING stream_id, version
)/* documents */, announced AS MATERIALIZED (
    -- counting makes sure that every row is locked before this goes on
    SELECT set_config('rillflow.announced', 'on', true),
        pg_advisory_xact_lock_shared(
            ('public.events'::regclass::oid::bigint & 2147483647)::integer,
            (coalesce(pg_sequence_last_value('public.events_global_seq'), 0) & 2147483647)::integer
        )
    FROM (SELECT count(*) AS streams FROM stream) AS locked
    WHERE (streams > 0/* or there are messages */)/* and all is as expected */
), drawn AS MATERIALIZED (
    SELECT nextval('public.events_global_seq') AS global_seq, placed.*
    FROM announced, (
        SELECT item.number, stream.stream_id, stream.version - item.events + event.place AS stream_seq,
            event.event_id, event.type, event.type_version, event.data, event.headers, event.causation_id,
            event.correlation_id/* , tags */
        FROM unnest($8::bigint[], $9::bigint[], $10::uuid[], $11::text[], $12::integer[], $13::text[], $14::text[],
            $15::uuid[], $16::uuid[]/* , $tags */) WITH ORDINALITY
            AS event (number, place, event_id, type, type_version, data, headers, causation_id, correlation_id/* , tags */, given)
        JOIN item ON item.number = event.number
        JOIN stream ON stream.stream_id = item.stream_id
        ORDER BY event.given
    ) AS placed
), recorded AS (
    INSERT INTO public.events (global_seq, stream_id, stream_seq, event_id, type, type_version, data, headers,
        causation_id, correlation_id/* , tags */)
    SELECT global_seq, stream_id, stream_seq, event_id, type, type_version, data::json, headers::jsonb, causation_id,
        correlation_id/* , tags::text[] */
    FROM drawn
), appended AS MATERIALIZED (
    SELECT number, max(stream_seq) AS version, array_agg(global_seq ORDER BY stream_seq) AS positions
    FROM drawn
    GROUP BY number
), remembered AS (
    INSERT INTO public.idempotency_keys (scope, key, fingerprint, stream_id, version, positions)
    SELECT item.scope, item.key, item.fingerprint, item.stream_id, appended.version, appended.positions
    FROM item JOIN appended USING (number)
    WHERE item.key IS NOT NULL
)/* messages */
/* outcome */
SELECT coalesce(known.version, appended.version) AS version,
    coalesce(known.positions, appended.positions) AS positions,
    coalesce(known.created_at, now()) AS created_at,
    known.same AS repeated,
    item.number
FROM item LEFT JOIN known USING (number) LEFT JOIN appended USING (number)
ORDER BY item.number
