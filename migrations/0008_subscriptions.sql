-- Subscriptions: who reads the log, how far each has come, and what must be read again.
--
-- A subscription is read by groups; those who name none are the group ''. A group's streams are spread over a fixed
-- number of partitions; a partition has one owner at a time, a member. A member lives by its heartbeat; a partition is
-- fenced by its token, which grows with every owner and which every acknowledgement must carry.

CREATE TABLE public.subscriptions (
    name            text        PRIMARY KEY,
    filter          jsonb       NOT NULL DEFAULT '{}',
    -- Where a group begins that has not been here before.
    start_position  bigint      NOT NULL DEFAULT 0,
    created_at      timestamptz NOT NULL DEFAULT now(),
    updated_at      timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE public.subscription_groups (
    subscription    text        NOT NULL REFERENCES public.subscriptions ON DELETE CASCADE,
    group_name      text        NOT NULL,
    partitions      integer     NOT NULL,
    status          text        NOT NULL DEFAULT 'running',

    PRIMARY KEY (subscription, group_name),
    CONSTRAINT subscription_groups_partitions_few CHECK (partitions BETWEEN 1 AND 1024),
    CONSTRAINT subscription_groups_status_known CHECK (status IN ('running', 'paused'))
);

CREATE TABLE public.subscription_members (
    member          uuid        PRIMARY KEY,
    subscription    text        NOT NULL,
    group_name      text        NOT NULL,
    joined_at       timestamptz NOT NULL DEFAULT clock_timestamp(),
    alive_until     timestamptz NOT NULL,

    FOREIGN KEY (subscription, group_name) REFERENCES public.subscription_groups ON DELETE CASCADE
) WITH (fillfactor = 50);
CREATE INDEX subscription_members_group_idx ON public.subscription_members (subscription, group_name);

CREATE TABLE public.subscription_partitions (
    subscription    text        NOT NULL,
    group_name      text        NOT NULL,
    partition       integer     NOT NULL,
    -- The checkpoint: everything up to here is done. And what is done beyond it, out of order.
    position        bigint      NOT NULL,
    acked           bigint[]    NOT NULL DEFAULT '{}',
    -- The last event that was done, by which a replaced history is recognised.
    event_position  bigint,
    event_id        uuid,
    owner           uuid,
    token           bigint      NOT NULL DEFAULT 0,
    updated_at      timestamptz NOT NULL DEFAULT now(),

    PRIMARY KEY (subscription, group_name, partition),
    FOREIGN KEY (subscription, group_name) REFERENCES public.subscription_groups ON DELETE CASCADE
) WITH (fillfactor = 50);

-- Events taken out of the line, to be read again by themselves: refused for now, or requeued.
CREATE TABLE public.subscription_retries (
    subscription    text        NOT NULL,
    group_name      text        NOT NULL,
    partition       integer     NOT NULL,
    position        bigint      NOT NULL,
    stream_id       uuid        NOT NULL,
    attempts        integer     NOT NULL,
    retry_at        timestamptz NOT NULL,
    error           text,

    PRIMARY KEY (subscription, group_name, position),
    FOREIGN KEY (subscription, group_name) REFERENCES public.subscription_groups ON DELETE CASCADE
);

CREATE TABLE public.subscription_dead_letters (
    id              bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    subscription    text        NOT NULL,
    group_name      text        NOT NULL,
    partition       integer     NOT NULL,
    position        bigint      NOT NULL,
    stream_id       uuid        NOT NULL,
    attempts        integer     NOT NULL,
    error           text,
    dead_at         timestamptz NOT NULL DEFAULT now(),

    CONSTRAINT subscription_dead_letters_once UNIQUE (subscription, group_name, position),
    FOREIGN KEY (subscription, group_name) REFERENCES public.subscription_groups ON DELETE CASCADE
);

-- The partition of a stream. It must never come out differently: each partition has a checkpoint of its own.
CREATE FUNCTION public.rillflow_partition(stream uuid, partitions integer) RETURNS integer
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN CASE partitions WHEN 1 THEN 0 ELSE
    ('x' || pg_catalog.left(pg_catalog.encode(pg_catalog.sha256(pg_catalog.uuid_send(stream)), 'hex'), 7))::bit(28)::integer
        % partitions
END;

-- What stands for the stream of a message: its key, as a uuid.
CREATE FUNCTION public.rillflow_key(key text) RETURNS uuid
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN pg_catalog.left(pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to(key, 'UTF8')), 'hex'), 32)::uuid;

-- Keeps members alive, by this server's clock, and hands partitions out: each member of a group gets its share, those
-- who have been here longest get what does not divide. Says what each member owns, and what its share is: a member that
-- owns more gives some back when it is done with what it took from them. No row for a member: its group is gone.
--
-- One group at a time: whoever waits for its row then sees what the one before did.
CREATE FUNCTION public.rillflow_tend(
    members uuid[], subscriptions text[], group_names text[], seconds double precision[]
) RETURNS TABLE (
    member uuid, share integer, partition integer, token bigint, "position" bigint, acked bigint[],
    event_position bigint, event_id uuid
)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    tended record;
    shared record;
    joined boolean;
    its_share integer;
    missing integer;
BEGIN
    PERFORM set_config('synchronous_commit', 'off', true);
    FOR tended IN
        SELECT * FROM unnest(members, subscriptions, group_names, seconds) AS it (id, subscription, group_name, seconds)
        ORDER BY it.subscription, it.group_name, it.id
    LOOP
        SELECT * INTO shared FROM public.subscription_groups AS g
        WHERE g.subscription = tended.subscription AND g.group_name = tended.group_name FOR NO KEY UPDATE;
        CONTINUE WHEN NOT FOUND;

        INSERT INTO public.subscription_members AS m (member, subscription, group_name, alive_until)
        VALUES (tended.id, tended.subscription, tended.group_name,
            clock_timestamp() + make_interval(secs => tended.seconds))
        ON CONFLICT (member) DO UPDATE SET alive_until = excluded.alive_until
        RETURNING xmax::text = '0' INTO joined;
        DELETE FROM public.subscription_members AS m
        WHERE m.subscription = tended.subscription AND m.group_name = tended.group_name
            AND m.alive_until < clock_timestamp();
        IF joined THEN
            PERFORM pg_notify('public.rillflow_subscriptions', tended.subscription);
        END IF;

        SELECT CASE shared.status WHEN 'paused' THEN 0 ELSE
            shared.partitions / it.members + (it.place <= shared.partitions % it.members)::integer END
        INTO its_share
        FROM (
            SELECT m.member, row_number() OVER (ORDER BY m.joined_at, m.member) AS place, count(*) OVER () AS members
            FROM public.subscription_members AS m
            WHERE m.subscription = tended.subscription AND m.group_name = tended.group_name
        ) AS it
        WHERE it.member = tended.id;

        SELECT its_share - count(*) INTO missing FROM public.subscription_partitions AS p
        WHERE p.subscription = tended.subscription AND p.group_name = tended.group_name AND p.owner = tended.id;
        -- one that an open transaction acknowledges in is left alone
        UPDATE public.subscription_partitions AS p SET owner = tended.id, token = p.token + 1
        FROM (
            SELECT free.partition FROM public.subscription_partitions AS free
            WHERE free.subscription = tended.subscription AND free.group_name = tended.group_name
                AND (free.owner IS NULL
                    OR NOT EXISTS (SELECT FROM public.subscription_members AS m WHERE m.member = free.owner))
            ORDER BY free.position
            LIMIT greatest(missing, 0)
            FOR NO KEY UPDATE SKIP LOCKED
        ) AS found
        WHERE p.subscription = tended.subscription AND p.group_name = tended.group_name
            AND p.partition = found.partition;

        RETURN QUERY
        SELECT tended.id, its_share, p.partition, p.token, p.position, p.acked, p.event_position, p.event_id
        FROM (SELECT) AS one_row_at_least
        LEFT JOIN public.subscription_partitions AS p
            ON p.subscription = tended.subscription AND p.group_name = tended.group_name AND p.owner = tended.id;
    END LOOP;
END;
$$;

-- Acknowledges events of a partition, and moves its checkpoint up to the first that is still open.
--
-- `acked` stand in the line, `retried` were taken out of it before. `still_open` are the lowest of the line that this
-- owner knows no end of, without `acked`; when none of them is open either, everything up to `reached` is done.
-- `strict`: in the caller's transaction, which must not go on when one of them was acknowledged before.
-- RF003: the partition has another owner. RF004: acknowledged before. Both end the caller's transaction.
CREATE FUNCTION public.rillflow_ack(
    subscription text, group_name text, "partition" integer, token bigint, acked bigint[], retried bigint[],
    still_open bigint[], reached bigint, event_position bigint, event_id uuid, strict boolean,
    OUT stored_position bigint, OUT stored_acked bigint[]
)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    stored public.subscription_partitions;
    deleted bigint;
BEGIN
    IF NOT strict THEN -- it need not survive a crash: then the events come again
        PERFORM set_config('synchronous_commit', 'off', true), set_config('lock_timeout', '5s', true);
    END IF;
    SELECT * INTO stored FROM public.subscription_partitions AS p
    WHERE (p.subscription, p.group_name, p.partition) = ($1, $2, $3) FOR NO KEY UPDATE;
    IF stored.token IS DISTINCT FROM $4 THEN
        RAISE EXCEPTION 'partition % of % has another owner', $3, $1 USING ERRCODE = 'RF003';
    END IF;
    DELETE FROM public.subscription_retries AS r
    WHERE (r.subscription, r.group_name) = ($1, $2) AND r.position = ANY ($6);
    GET DIAGNOSTICS deleted = ROW_COUNT;
    IF strict AND (
        deleted < cardinality($6)
        OR EXISTS (SELECT FROM unnest($5) AS it (a) WHERE a <= stored.position OR a = ANY (stored.acked))
    ) THEN
        RAISE EXCEPTION 'acknowledged before' USING ERRCODE = 'RF004';
    END IF;

    stored.acked := stored.acked || $5;
    stored_position := greatest(
        stored.position,
        coalesce((
            SELECT min(it.o) - 1 FROM unnest($7) AS it (o)
            WHERE it.o > stored.position AND it.o <> ALL (stored.acked)
        ), $8)
    );
    stored_acked := ARRAY(SELECT DISTINCT a FROM unnest(stored.acked) AS it (a) WHERE a > stored_position ORDER BY a);
    UPDATE public.subscription_partitions AS p
    SET position = stored_position,
        acked = stored_acked,
        event_id = CASE WHEN p.event_position > $9 THEN p.event_id ELSE coalesce($10, p.event_id) END,
        event_position = greatest(p.event_position, $9),
        updated_at = clock_timestamp()
    WHERE (p.subscription, p.group_name, p.partition) = ($1, $2, $3);
END;
$$;

-- Takes an event out of the line: to be read again after a pause, or for good after so many attempts.
-- Returns how often it was tried; 0 when it is a dead letter now.
CREATE FUNCTION public.rillflow_nack(
    subscription text, group_name text, "partition" integer, token bigint, "position" bigint, stream uuid,
    in_line boolean, still_open bigint[], reached bigint, pause double precision, most integer, reason text
) RETURNS integer
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    tried integer;
BEGIN
    PERFORM public.rillflow_ack($1, $2, $3, $4, CASE WHEN $7 THEN ARRAY[$5] ELSE '{}' END, '{}', $8, $9, NULL, NULL, false);
    INSERT INTO public.subscription_retries AS r
        (subscription, group_name, partition, position, stream_id, attempts, retry_at, error)
    VALUES ($1, $2, $3, $5, $6, 1, clock_timestamp() + make_interval(secs => $10), $12)
    ON CONFLICT (subscription, group_name, position) DO UPDATE
        SET attempts = r.attempts + 1, retry_at = excluded.retry_at, error = excluded.error
    RETURNING attempts INTO tried;
    IF tried < $11 THEN
        RETURN tried;
    END IF;
    DELETE FROM public.subscription_retries AS r WHERE (r.subscription, r.group_name, r.position) = ($1, $2, $5);
    INSERT INTO public.subscription_dead_letters AS d
        (subscription, group_name, partition, position, stream_id, attempts, error)
    VALUES ($1, $2, $3, $5, $6, tried, $12)
    ON CONFLICT ON CONSTRAINT subscription_dead_letters_once DO UPDATE
        SET attempts = excluded.attempts, error = excluded.error, dead_at = now();
    RETURN 0;
END;
$$;

INSERT INTO public.rillflow_migrations (version, name) VALUES (8, 'subscriptions');
