-- Names for streams, the state of aggregates, and the one way by which a stream goes.

CREATE TABLE public.stream_aliases (
    alias       text        PRIMARY KEY,
    stream_id   uuid        NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now()
);

-- The newest state of each aggregate and shape. A cache: whatever is missing here is folded from the events.
CREATE TABLE public.snapshots (
    stream_id   uuid        NOT NULL,
    aggregate   text        NOT NULL,
    fingerprint bigint      NOT NULL,
    stream_seq  bigint      NOT NULL,
    state       json        NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),

    PRIMARY KEY (stream_id, aggregate, fingerprint)
) WITH (fillfactor = 80);

-- Deletes a stream: its events and snapshots go, its row stays as a tombstone that no append gets past. False: no such
-- stream. Waits for an append and for a snapshot that are open; each statement sees what committed before it.
CREATE FUNCTION public.rillflow_delete_stream(stream uuid) RETURNS boolean
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM FROM public.streams WHERE stream_id = stream FOR UPDATE;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    UPDATE public.streams SET archived_at = coalesce(archived_at, now()), deleted_at = now()
    WHERE stream_id = stream AND deleted_at IS NULL;
    DELETE FROM public.snapshots WHERE stream_id = stream;
    DELETE FROM public.events WHERE stream_id = stream;
    RETURN true;
END;
$$;

INSERT INTO public.rillflow_migrations (version, name) VALUES (4, 'aliases_and_snapshots');
