-- Streams, their events, and the mark up to which the global order is settled.
--
-- `streams` holds one row per stream: the row that an append locks, and the version that it checks.
-- `events` is append-only; a trigger says so to every client, not only to ours.

CREATE TABLE public.rillflow_migrations (
    version     bigint      PRIMARY KEY,
    name        text        NOT NULL,
    applied_at  timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE public.rillflow_migrations IS 'Which of rillflow''s migrations this schema has. Each migration adds its own row, so every runner keeps the same book.';

CREATE TABLE public.streams (
    stream_id   uuid        PRIMARY KEY,
    category    text        NOT NULL,
    version     bigint      NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    -- Set: no append gets through.
    archived_at timestamptz,
    -- Set: a tombstone. The events are gone, the id and its version stay taken.
    deleted_at  timestamptz,

    CONSTRAINT streams_version_counts_events CHECK (0 <= version),
    CONSTRAINT streams_deleted_is_archived CHECK (deleted_at IS NULL OR archived_at IS NOT NULL)
) WITH (fillfactor = 80); -- room for the next version on the same page: no index holds a column that changes

CREATE SEQUENCE public.events_global_seq AS bigint CACHE 1 NO CYCLE;

CREATE TABLE public.events (
    global_seq      bigint      PRIMARY KEY DEFAULT nextval('public.events_global_seq'),
    stream_id       uuid        NOT NULL,
    stream_seq      bigint      NOT NULL,
    event_id        uuid        NOT NULL,
    type            text        NOT NULL,
    type_version    integer     NOT NULL DEFAULT 1,
    -- json, not jsonb: the log is read far more often than searched, and stays as it was written
    data            json        NOT NULL,
    headers         jsonb,
    causation_id    uuid,
    correlation_id  uuid,
    created_at      timestamptz NOT NULL DEFAULT now(),

    CONSTRAINT events_event_id_key UNIQUE (event_id),
    CONSTRAINT events_stream_seq_key UNIQUE (stream_id, stream_seq),
    CONSTRAINT events_stream_seq_from_one CHECK (1 <= stream_seq)
);
ALTER SEQUENCE public.events_global_seq OWNED BY public.events.global_seq;
CREATE INDEX events_created_at_brin ON public.events USING brin (created_at);

-- What was appended under a key that the application chose: a repeated append finds the first result here.
CREATE TABLE public.idempotency_keys (
    scope       text        NOT NULL,
    key         text        NOT NULL,
    fingerprint uuid        NOT NULL,
    stream_id   uuid        NOT NULL,
    version     bigint      NOT NULL,
    positions   bigint[]    NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),

    CONSTRAINT idempotency_keys_pkey PRIMARY KEY (scope, key)
);
CREATE INDEX idempotency_keys_created_at_idx ON public.idempotency_keys (created_at);

-- How far the global order is settled, for those who cannot compute it: standbys, and readers between two notifications.
CREATE TABLE public.event_marks (
    only_row    boolean     PRIMARY KEY DEFAULT true CHECK (only_row),
    mark        bigint      NOT NULL DEFAULT 0,
    epoch       integer     NOT NULL DEFAULT 1,
    updated_at  timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 10);
INSERT INTO public.event_marks DEFAULT VALUES;

-- Announces, until the transaction ends, the position above which this transaction draws its own.
-- The lock is shared: it never waits, and `rillflow_safe_mark` reads who holds one. Once per transaction is enough, as
-- the first announcement is the lowest; a rolled back savepoint takes the lock and the setting away together.
CREATE FUNCTION public.rillflow_announce() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared(
        ('public.events'::regclass::oid::bigint & 2147483647)::integer,
        (coalesce(pg_sequence_last_value('public.events_global_seq'), 0) & 2147483647)::integer
    );
    RETURN NULL;
END;
$$;

-- Makes a plain INSERT or COPY by other software as safe as an append; appends have announced before they come here.
CREATE TRIGGER events_announce
    BEFORE INSERT ON public.events
    FOR EACH STATEMENT
    WHEN (coalesce(current_setting('rillflow.announced', true), '') <> 'on')
    EXECUTE FUNCTION public.rillflow_announce();

CREATE FUNCTION public.rillflow_refuse_change() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RAISE EXCEPTION '%.% is append-only', TG_TABLE_SCHEMA, TG_TABLE_NAME
        USING ERRCODE = 'object_not_in_prerequisite_state';
END;
$$;

CREATE TRIGGER events_append_only
    BEFORE UPDATE OR TRUNCATE ON public.events
    FOR EACH STATEMENT EXECUTE FUNCTION public.rillflow_refuse_change();

-- What was removed with its stream: enough to tell a removed event from one of another history.
CREATE TABLE public.removed_events (
    global_seq  bigint  PRIMARY KEY,
    event_id    uuid    NOT NULL
);

-- Events go only with their whole stream: who deletes them need not be trusted, as what is left is looked at. The stream
-- is a tombstone by then, in the same transaction, so it can neither be appended to nor begun anew.
CREATE FUNCTION public.rillflow_note_removal() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF EXISTS (
        SELECT FROM gone
        WHERE NOT EXISTS (
            SELECT FROM public.streams stream
            WHERE stream.stream_id = gone.stream_id AND stream.deleted_at IS NOT NULL
        )
    ) THEN
        RAISE EXCEPTION '%.% is append-only', TG_TABLE_SCHEMA, TG_TABLE_NAME
            USING ERRCODE = 'object_not_in_prerequisite_state',
                HINT = 'a whole stream is deleted by rillflow_delete_stream(stream_id)';
    END IF;
    INSERT INTO public.removed_events (global_seq, event_id) SELECT global_seq, event_id FROM gone;
    RETURN NULL;
END;
$$;

CREATE TRIGGER events_note_removal
    AFTER DELETE ON public.events REFERENCING OLD TABLE AS gone
    FOR EACH STATEMENT EXECUTE FUNCTION public.rillflow_note_removal();

-- The position up to which every event is visible, or never will be: none can appear at or below it later.
--
-- Also what was drawn: while it is above the mark, an append is still open.
--
-- First what was drawn, then who may still be drawing: a writer that is not listed has ended, and is visible to the
-- caller's next statement, or draws above. So read the rows in a LATER statement, at READ COMMITTED.
CREATE FUNCTION public.rillflow_safe_mark(OUT mark bigint, OUT drawn bigint)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    announced bigint;
BEGIN
    IF pg_is_in_recovery() THEN -- a standby sees its own locks only, and sequences ahead of their use
        SELECT event_marks.mark, event_marks.mark INTO mark, drawn FROM public.event_marks;
        RETURN;
    END IF;
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE EXCEPTION 'the safe mark needs READ COMMITTED: an older snapshot would miss events below it'
            USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    drawn := coalesce(pg_sequence_last_value('public.events_global_seq'), 0);
    SELECT min(drawn - ((drawn - objid::bigint) & 2147483647)) INTO announced
    FROM pg_locks
    WHERE locktype = 'advisory'
      AND granted
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
      AND classid::bigint = 'public.events'::regclass::oid::bigint & 2147483647
      AND objsubid = 2;
    mark := least(drawn, coalesce(announced, drawn));
END;
$$;

INSERT INTO public.rillflow_migrations (version, name) VALUES (1, 'streams_and_events');
