-- Tags, by which events are found and decisions are kept whole; messages for other systems; and the epochs of the log.

-- What an event is about beside its stream: `name:value`, each once. NULL for most.
ALTER TABLE public.events ADD COLUMN tags text[];
CREATE INDEX events_tags_gin ON public.events USING gin (tags) WHERE tags IS NOT NULL;

-- Takes, until the transaction ends, a lock for each tag: shared for those written, exclusive for those that a condition
-- rests on. So writers wait for nobody but decisions on their tags, and decisions for their writers and each other. The
-- keys are sorted and taken once: nobody waits for one who waits for him. Too many to hold: one lock, for all tags.
CREATE FUNCTION public.rillflow_lock_tags(written text[], required text[]) RETURNS boolean
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    store CONSTANT bigint := 'public.events'::regclass::oid::bigint;
    all_tags CONSTANT bigint := hashtextextended('', store);
BEGIN
    IF cardinality(written) + cardinality(required) > 64 THEN
        PERFORM pg_advisory_xact_lock(all_tags);
        RETURN true;
    END IF;
    PERFORM pg_advisory_xact_lock_shared(all_tags);
    PERFORM CASE WHEN exclusive THEN pg_advisory_xact_lock(key) ELSE pg_advisory_xact_lock_shared(key) END
    FROM (
        SELECT hashtextextended(tag, store) AS key, bool_or(exclusive) AS exclusive
        FROM (
            SELECT tag, false AS exclusive FROM unnest(written) AS tag
            UNION ALL
            SELECT tag, true FROM unnest(required) AS tag
        ) AS tags
        GROUP BY key
        ORDER BY key
    ) AS sorted;
    RETURN true;
END;
$$;

-- Ends the statement unless a decision still holds: unless no event came up since that it would have looked at.
-- It looked at events of some types that carry all tags of one of the alternatives (each a text[] as text), at all of
-- them up to the position `after`, and above it at those of `seen`. The locks are taken first, and then it is looked in
-- statements of its own: an older snapshot would miss what committed while a lock was waited for.
CREATE FUNCTION public.rillflow_require(
    written text[], alternatives text[], types text[], after bigint, seen bigint[]
) RETURNS boolean
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    few CONSTANT boolean := coalesce(pg_sequence_last_value('public.events_global_seq'), 0) - after < 10000;
    alternative text[];
    newer bigint;
BEGIN
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE EXCEPTION 'a decision on tags needs READ COMMITTED: an older snapshot would miss what it rests on'
            USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    -- whoever writes a matching event locks all its tags: one of each alternative is enough to meet
    PERFORM public.rillflow_lock_tags(written, ARRAY(
        SELECT DISTINCT tags[cardinality(tags)] FROM (SELECT unnest(alternatives)::text[] AS tags) AS each
    ));
    FOR alternative IN SELECT unnest(alternatives)::text[] LOOP
        IF few THEN -- the end of the log is shorter than the list of those who ever carried a tag
            SELECT global_seq INTO newer
            FROM (
                SELECT global_seq, type, tags FROM public.events WHERE global_seq > after ORDER BY global_seq OFFSET 0
            ) AS recent
            WHERE tags @> alternative AND type = ANY (types) AND global_seq <> ALL (seen)
            LIMIT 1;
        ELSE
            SELECT global_seq INTO newer
            FROM public.events
            WHERE tags @> alternative AND global_seq + 0 > after AND type = ANY (types) AND global_seq <> ALL (seen)
            LIMIT 1;
        END IF;
        IF newer IS NOT NULL THEN
            RAISE EXCEPTION 'an event that this decision rests on was appended meanwhile'
                USING ERRCODE = 'RF003', DETAIL = newer::text;
        END IF;
    END LOOP;
    RETURN true;
END;
$$;

-- Makes a plain INSERT of tagged events by other software as safe for decisions as an append, which takes the locks before
-- it locks its stream, and says so in a setting that counts for its one statement.
CREATE FUNCTION public.rillflow_lock_tags_of_row() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM public.rillflow_lock_tags(NEW.tags, '{}');
    RETURN NEW;
END;
$$;

CREATE TRIGGER events_lock_tags
    BEFORE INSERT ON public.events
    FOR EACH ROW
    WHEN (
        NEW.tags IS NOT NULL
        AND coalesce(current_setting('rillflow.tagged', true), '') <> extract(epoch FROM statement_timestamp())::text
    )
    EXECUTE FUNCTION public.rillflow_lock_tags_of_row();

-- Messages commit with events and documents, and go on to other systems from here.
--
-- Positions come from the sequence of the events, and are announced in the same way: so the safe mark covers messages
-- too, and a relay that reads up to it in the order of positions never misses one.
CREATE TABLE public.outbox_messages (
    position        bigint      PRIMARY KEY DEFAULT nextval('public.events_global_seq'),
    message_id      uuid        NOT NULL,
    topic           text        NOT NULL,
    -- Messages of one key are to be delivered in their order.
    key             text        NOT NULL,
    headers         jsonb,
    payload         json        NOT NULL,
    causation_id    uuid,
    correlation_id  uuid,
    created_at      timestamptz NOT NULL DEFAULT now(),

    CONSTRAINT outbox_messages_message_id_key UNIQUE (message_id)
);

CREATE TRIGGER outbox_messages_announce
    BEFORE INSERT ON public.outbox_messages
    FOR EACH STATEMENT
    WHEN (coalesce(current_setting('rillflow.announced', true), '') <> 'on')
    EXECUTE FUNCTION public.rillflow_announce();

-- The histories that positions belonged to. A new one begins with a restored backup or a promoted standby.
CREATE TABLE public.event_epochs (
    epoch           integer     PRIMARY KEY,
    -- The last position drawn before it began, as far as this database knows.
    after_position  bigint      NOT NULL,
    started_at      timestamptz NOT NULL DEFAULT now()
);
INSERT INTO public.event_epochs (epoch, after_position) VALUES (1, 0);

-- Begins an epoch, to be called once after a failover or a restore. The positions of what was lost are not used again:
-- whoever read them is ahead of this history, and the next position is ahead of him. The number grows with the time, so
-- that two histories that part twice from one backup are told apart too.
CREATE FUNCTION public.rillflow_begin_epoch(OUT epoch integer, OUT after_position bigint)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    SELECT greatest(event_marks.epoch + 1, (extract(epoch FROM clock_timestamp()) - 1700000000)::integer) INTO epoch
    FROM public.event_marks FOR UPDATE;
    after_position := greatest(
        pg_sequence_last_value('public.events_global_seq'), 0,
        (SELECT max(global_seq) FROM public.events), (SELECT max(position) FROM public.outbox_messages)
    );
    PERFORM setval('public.events_global_seq', after_position + 1000000);
    INSERT INTO public.event_epochs VALUES (epoch, after_position);
    UPDATE public.event_marks SET epoch = rillflow_begin_epoch.epoch;
END;
$$;

INSERT INTO public.rillflow_migrations (version, name) VALUES (6, 'tags_and_outbox');
