-- Subscriptions: which history a checkpoint belongs to, what ended its owners, what waits behind a failing event, and a beat
-- that tells on a channel of the caller's choice.
--
-- What 0008 made stays as it is called, for programs of that time that run beside newer ones.

ALTER TABLE public.subscription_partitions
    -- The history that the checkpoint belongs to; 0: nobody has looked yet, it is the present one.
    ADD COLUMN epoch    integer NOT NULL DEFAULT 0,
    -- Owners that ended without a word, or with something in hand; and up to where that may have been. It counts until all
    -- up to there is done.
    ADD COLUMN crashes        integer NOT NULL DEFAULT 0,
    ADD COLUMN doubtful_until bigint  NOT NULL DEFAULT 0;

UPDATE public.subscription_partitions SET epoch = (SELECT epoch FROM public.event_marks);

ALTER TABLE public.subscription_retries
    -- False: it waits behind an earlier event of its stream.
    ADD COLUMN head     boolean NOT NULL DEFAULT true,
    -- The token of the owner that has it in hand, or had when it ended.
    ADD COLUMN token    bigint,
    -- An owner may have ended over it: it is handed out alone.
    ADD COLUMN suspect  boolean NOT NULL DEFAULT false;
CREATE INDEX subscription_retries_due_idx
    ON public.subscription_retries (subscription, group_name, partition, retry_at) WHERE head;
CREATE INDEX subscription_retries_stream_idx
    ON public.subscription_retries (subscription, group_name, stream_id, position);

-- RF005: another history began. For a statement that reads on: what it passes would belong to the one before.
CREATE FUNCTION public.rillflow_in_epoch(expected integer) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF expected IS DISTINCT FROM (SELECT epoch FROM public.event_marks) THEN
        RAISE EXCEPTION 'another epoch began' USING ERRCODE = 'RF005';
    END IF;
    RETURN true;
END;
$$;

-- As `rillflow_tend`, and says which history each checkpoint belongs to. A member that joins is told of on `channel`.
CREATE FUNCTION public.rillflow_tend_members(
    members uuid[], subscriptions text[], group_names text[], seconds double precision[], channel text
) RETURNS TABLE (
    member uuid, share integer, partition integer, token bigint, "position" bigint, acked bigint[],
    event_position bigint, event_id uuid, epoch integer, crashes integer,
    doubtful_until bigint
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
            PERFORM pg_notify(channel, tended.subscription);
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
        UPDATE public.subscription_partitions AS p
        SET owner = tended.id, token = p.token + 1, crashes = p.crashes + (p.owner IS NOT NULL)::integer,
            doubtful_until = CASE WHEN p.owner IS NULL THEN p.doubtful_until ELSE (SELECT mark FROM public.event_marks) END
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
        SELECT tended.id, its_share, p.partition, p.token, p.position, p.acked, p.event_position, p.event_id, p.epoch,
            p.crashes, p.doubtful_until
        FROM (SELECT) AS one_row_at_least
        LEFT JOIN public.subscription_partitions AS p
            ON p.subscription = tended.subscription AND p.group_name = tended.group_name AND p.owner = tended.id;
    END LOOP;
END;
$$;

-- Lets the first that wait of some streams go on, unless an earlier one still does: as many as `most` of a stream, but a
-- suspect alone.
CREATE FUNCTION public.rillflow_promote(subscription text, group_name text, streams uuid[], most integer) RETURNS void
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
    UPDATE public.subscription_retries AS r SET head = true
    FROM unnest($3) AS it (stream) CROSS JOIN LATERAL (
        SELECT first.position, row_number() OVER (ORDER BY first.position) AS place,
            bool_or(first.suspect) OVER (ORDER BY first.position) AS with_suspect
        FROM (
            SELECT w.position, w.suspect FROM public.subscription_retries AS w
            WHERE w.subscription = $1 AND w.group_name = $2 AND w.stream_id = it.stream
            ORDER BY w.position LIMIT $4
        ) AS first
    ) AS next
    WHERE r.subscription = $1 AND r.group_name = $2 AND r.position = next.position
        AND (next.place = 1 OR NOT next.with_suspect)
        AND NOT EXISTS (
            SELECT FROM public.subscription_retries AS h
            WHERE h.subscription = $1 AND h.group_name = $2 AND h.stream_id = it.stream AND h.head
        )
$$;

-- As before, what waited behind those taken out of the line goes on, and the checkpoint must belong to the present history (RF003 otherwise): whoever has the partition in hand
-- takes it up again, and finds what it would have passed over.
CREATE OR REPLACE FUNCTION public.rillflow_ack(
    subscription text, group_name text, "partition" integer, token bigint, acked bigint[], retried bigint[],
    still_open bigint[], reached bigint, event_position bigint, event_id uuid, strict boolean,
    OUT stored_position bigint, OUT stored_acked bigint[]
)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    stored public.subscription_partitions;
    freed uuid[];
BEGIN
    IF NOT strict THEN -- it need not survive a crash: then the events come again
        PERFORM set_config('synchronous_commit', 'off', true), set_config('lock_timeout', '5s', true);
    END IF;
    SELECT * INTO stored FROM public.subscription_partitions AS p
    WHERE (p.subscription, p.group_name, p.partition) = ($1, $2, $3) FOR NO KEY UPDATE;
    IF stored.token IS DISTINCT FROM $4 THEN
        RAISE EXCEPTION 'partition % of % has another owner', $3, $1 USING ERRCODE = 'RF003';
    END IF;
    IF stored.epoch NOT IN (0, (SELECT e.epoch FROM public.event_marks AS e)) THEN
        RAISE EXCEPTION 'another epoch began' USING ERRCODE = 'RF003';
    END IF;
    WITH gone AS (
        DELETE FROM public.subscription_retries AS r
        WHERE r.subscription = $1 AND r.group_name = $2 AND r.position = ANY ($6)
        RETURNING r.stream_id
    )
    SELECT coalesce(array_agg(stream_id), '{}') INTO freed FROM gone;
    IF strict AND (
        cardinality(freed) < cardinality($6)
        OR EXISTS (SELECT FROM unnest($5) AS it (a) WHERE a <= stored.position OR a = ANY (stored.acked))
    ) THEN
        RAISE EXCEPTION 'acknowledged before' USING ERRCODE = 'RF004';
    END IF;

    IF freed <> '{}' THEN
        PERFORM public.rillflow_promote($1, $2, ARRAY(SELECT DISTINCT it FROM unnest(freed) AS it), 100);
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
        crashes = CASE WHEN stored_position < p.doubtful_until THEN p.crashes ELSE 0 END,
        updated_at = clock_timestamp()
    WHERE (p.subscription, p.group_name, p.partition) = ($1, $2, $3);
END;
$$;

-- Has what of a stream was let go on behind an event wait again, unless it is in hand.
CREATE FUNCTION public.rillflow_demote(subscription text, group_name text, stream uuid, "position" bigint) RETURNS void
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
    UPDATE public.subscription_retries AS r SET head = false
    WHERE r.subscription = $1 AND r.group_name = $2 AND r.stream_id = $3 AND r.position > $4 AND r.head AND r.token IS NULL
$$;

-- As `rillflow_nack`, for an event that was tried so often since it was taken.
CREATE FUNCTION public.rillflow_nack(
    subscription text, group_name text, "partition" integer, token bigint, "position" bigint, stream uuid,
    in_line boolean, still_open bigint[], reached bigint, pause double precision, most integer, reason text, tries integer
) RETURNS integer
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    tried integer;
BEGIN
    PERFORM public.rillflow_ack($1, $2, $3, $4, CASE WHEN $7 THEN ARRAY[$5] ELSE '{}' END, '{}', $8, $9, NULL, NULL, false);
    INSERT INTO public.subscription_retries AS r
        (subscription, group_name, partition, position, stream_id, attempts, retry_at, error, head)
    VALUES ($1, $2, $3, $5, $6, $13, clock_timestamp() + make_interval(secs => $10), $12, NOT EXISTS (
        SELECT FROM public.subscription_retries AS e
        WHERE e.subscription = $1 AND e.group_name = $2 AND e.stream_id = $6 AND e.position < $5
    ))
    ON CONFLICT (subscription, group_name, position) DO UPDATE
        SET attempts = r.attempts + $13, retry_at = excluded.retry_at, error = excluded.error, token = NULL, suspect = false
    RETURNING attempts INTO tried;
    IF tried < $11 THEN
        PERFORM public.rillflow_demote($1, $2, $6, $5);
        RETURN tried;
    END IF;
    DELETE FROM public.subscription_retries AS r WHERE (r.subscription, r.group_name, r.position) = ($1, $2, $5);
    PERFORM public.rillflow_promote($1, $2, ARRAY[$6], 100);
    INSERT INTO public.subscription_dead_letters AS d
        (subscription, group_name, partition, position, stream_id, attempts, error)
    VALUES ($1, $2, $3, $5, $6, tried, $12)
    ON CONFLICT ON CONSTRAINT subscription_dead_letters_once DO UPDATE
        SET attempts = excluded.attempts, error = excluded.error, dead_at = now();
    RETURN 0;
END;
$$;

CREATE OR REPLACE FUNCTION public.rillflow_nack(
    subscription text, group_name text, "partition" integer, token bigint, "position" bigint, stream uuid,
    in_line boolean, still_open bigint[], reached bigint, pause double precision, most integer, reason text
) RETURNS integer
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
    SELECT public.rillflow_nack($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, 1)
$$;

-- Takes events out of the line, or puts those back that are out of it: they wait behind the first of their stream. `line`
-- are those that stand in the line; `tries` is how often each was tried, after `pauses` seconds it may be again.
CREATE FUNCTION public.rillflow_set_aside(
    subscription text, group_name text, "partition" integer, token bigint, positions bigint[], streams uuid[],
    tries integer[], pauses double precision[], reasons text[], suspects boolean[], line bigint[], still_open bigint[],
    reached bigint
) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
    PERFORM public.rillflow_ack($1, $2, $3, $4, $11, '{}', $12, $13, NULL, NULL, false);
    INSERT INTO public.subscription_retries AS r
        (subscription, group_name, partition, position, stream_id, attempts, retry_at, error, head, suspect)
    SELECT $1, $2, $3, it.at, it.stream, it.tries, clock_timestamp() + make_interval(secs => it.pause), it.reason, false,
        it.suspect
    FROM unnest($5, $6, $7, $8, $9, $10) AS it (at, stream, tries, pause, reason, suspect)
    ON CONFLICT (subscription, group_name, position) DO UPDATE
        SET attempts = r.attempts + excluded.attempts, retry_at = excluded.retry_at,
            error = coalesce(excluded.error, r.error), head = false, token = NULL;
    PERFORM public.rillflow_demote($1, $2, it.stream, it.first)
    FROM (SELECT stream, min(at) AS first FROM unnest($5, $6) AS it (at, stream) GROUP BY stream) AS it;
    PERFORM public.rillflow_promote($1, $2, ARRAY(SELECT DISTINCT it FROM unnest($6) AS it), 1);
    IF true = ANY ($10) THEN -- from now on each of them counts for itself
        UPDATE public.subscription_partitions AS p SET crashes = 0
        WHERE (p.subscription, p.group_name, p.partition) = ($1, $2, $3);
    END IF;
END;
$$;

-- Takes up what was out of the line when the owners of these partitions came: what an owner before had in hand when it ended
-- was tried once more, and is suspect; a suspect that was tried so often becomes a dead letter.
CREATE FUNCTION public.rillflow_recover(
    subscription text, group_name text, partitions integer[], tokens bigint[], most integer
) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    freed uuid[];
BEGIN
    UPDATE public.subscription_retries AS r
    SET token = NULL,
        suspect = r.suspect OR r.token < ours.token,
        -- which of several it was is not known yet: none is given up for it
        attempts = CASE WHEN r.token >= ours.token THEN r.attempts WHEN r.suspect THEN r.attempts + 1
            ELSE greatest(r.attempts, least(r.attempts + 1, $5 - 1)) END,
        error = CASE WHEN r.token >= ours.token THEN r.error ELSE 'its process ended, or lost it, while it had it in hand' END
    FROM unnest($3, $4) AS ours (partition, token)
    WHERE r.subscription = $1 AND r.group_name = $2 AND r.partition = ours.partition AND r.token IS NOT NULL;
    WITH gone AS (
        DELETE FROM public.subscription_retries AS r
        WHERE r.subscription = $1 AND r.group_name = $2 AND r.partition = ANY ($3)
            AND r.suspect AND r.attempts >= $5 AND r.token IS NULL
        RETURNING r.*
    ), dead AS (
        INSERT INTO public.subscription_dead_letters AS d
            (subscription, group_name, partition, position, stream_id, attempts, error)
        SELECT subscription, group_name, partition, position, stream_id, attempts, error FROM gone
        ON CONFLICT ON CONSTRAINT subscription_dead_letters_once DO UPDATE
            SET attempts = excluded.attempts, error = excluded.error, dead_at = now()
    )
    SELECT array_agg(DISTINCT stream_id) INTO freed FROM gone;
    IF freed IS NOT NULL THEN
        PERFORM public.rillflow_promote($1, $2, freed, 100);
    END IF;
END;
$$;

INSERT INTO public.rillflow_migrations (version, name) VALUES (11, 'subscriptions_runtime');
