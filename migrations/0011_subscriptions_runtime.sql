-- Subscriptions: which history a checkpoint belongs to, and a beat that tells on a channel of the caller's choice.
--
-- What 0008 made stays as it is called, for programs of that time that run beside newer ones.

ALTER TABLE public.subscription_partitions
    -- The history that the checkpoint belongs to; 0: nobody has looked yet, it is the present one.
    ADD COLUMN epoch    integer NOT NULL DEFAULT 0;

UPDATE public.subscription_partitions SET epoch = (SELECT epoch FROM public.event_marks);

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
    event_position bigint, event_id uuid, epoch integer
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
        SELECT tended.id, its_share, p.partition, p.token, p.position, p.acked, p.event_position, p.event_id, p.epoch
        FROM (SELECT) AS one_row_at_least
        LEFT JOIN public.subscription_partitions AS p
            ON p.subscription = tended.subscription AND p.group_name = tended.group_name AND p.owner = tended.id;
    END LOOP;
END;
$$;

-- As before, and the checkpoint must belong to the present history (RF003 otherwise): whoever has the partition in hand
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
    IF stored.epoch NOT IN (0, (SELECT e.epoch FROM public.event_marks AS e)) THEN
        RAISE EXCEPTION 'another epoch began' USING ERRCODE = 'RF003';
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

INSERT INTO public.rillflow_migrations (version, name) VALUES (11, 'subscriptions_runtime');
