-- Running projections: what they count, who works, what failed, and what is built beside a live read model.

ALTER TABLE public.projections
    -- Events handled and failures met, since the projection began; events per second while it last worked.
    ADD COLUMN processed    bigint           NOT NULL DEFAULT 0,
    ADD COLUMN failures     bigint           NOT NULL DEFAULT 0,
    ADD COLUMN rate         double precision NOT NULL DEFAULT 0,
    ADD COLUMN failed_at    timestamptz,
    -- Set: this row stands for a read model beside the live one of that projection, being built or kept.
    ADD COLUMN beside       text;

-- The processes that run projections, so that each takes its share.
CREATE TABLE public.projection_workers (
    owner       uuid        PRIMARY KEY,
    alive_until timestamptz NOT NULL,
    -- The projections it would run.
    names       text[]      NOT NULL
) WITH (fillfactor = 50);

-- Events that a projection failed on, and those that wait behind one of the same key. The payload stays in `events`, so
-- that it goes with its stream.
CREATE TABLE public.dead_letters (
    id          bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    projection  text        NOT NULL,
    position    bigint      NOT NULL,
    event_id    uuid        NOT NULL,
    keys        text[]      NOT NULL,
    -- NULL: it did not fail itself, it waits.
    error       text,
    attempts    integer     NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at  timestamptz NOT NULL DEFAULT clock_timestamp(),

    CONSTRAINT dead_letters_one_per_event UNIQUE (projection, position)
);

-- Makes the table in which a read model is built beside the live one, like that one; `key` is the name of its key.
CREATE FUNCTION public.rillflow_make_beside(live text, key text) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF to_regclass(format('public.%I', live || '__rebuild')) IS NULL THEN
        EXECUTE format('CREATE TABLE public.%I (LIKE public.%I INCLUDING ALL EXCLUDING INDEXES)', live || '__rebuild', live);
        EXECUTE format('ALTER TABLE public.%I ADD CONSTRAINT %I PRIMARY KEY (id)', live || '__rebuild', key);
    END IF;
END;
$$;

-- Gives up a read model beside the live one, its table and its row.
CREATE FUNCTION public.rillflow_drop_beside(projection text, live text, beside text) RETURNS boolean
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    there boolean;
BEGIN
    DELETE FROM public.projections WHERE name = projection || '@' || rillflow_drop_beside.beside;
    there := FOUND;
    DELETE FROM public.dead_letters AS letter
    WHERE letter.projection = rillflow_drop_beside.projection || '@' || rillflow_drop_beside.beside;
    EXECUTE format('DROP TABLE IF EXISTS public.%I', live || '__' || rillflow_drop_beside.beside);
    RETURN there;
END;
$$;

-- Puts a read model that was built, or kept, beside the live one in its place; the live one is kept as `__old`. Tables,
-- indexes, grants and checkpoints change at once. False: the one beside is not as far as the live one.
-- `projection` at `token`, whose table is `live`; `beside` is `rebuild` or `old`; `indexes` are the names that belong on the
-- table, `coming` what they are called there, `going` what those of the live one are to be called.
CREATE FUNCTION public.rillflow_swap_read_model(
    projection text, token bigint, live text, beside text, indexes text[], coming text[], going text[]
) RETURNS boolean
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    current public.projections;
    next    public.projections;
    viewer  text;
    reader  record;
BEGIN
    SELECT * INTO current FROM public.projections WHERE name = projection AND lease_token = token FOR UPDATE;
    SELECT * INTO next FROM public.projections WHERE name = projection || '@' || rillflow_swap_read_model.beside FOR UPDATE;
    IF current.name IS NULL OR next.name IS NULL OR beside = 'rebuild' AND next.position < current.position THEN
        RETURN false;
    END IF;
    SELECT dependent.relname INTO viewer
    FROM pg_depend JOIN pg_rewrite ON pg_rewrite.oid = pg_depend.objid
    JOIN pg_class AS dependent ON dependent.oid = pg_rewrite.ev_class
    WHERE pg_depend.refobjid = format('public.%I', live)::regclass AND pg_depend.classid = 'pg_rewrite'::regclass;
    IF FOUND THEN
        RAISE EXCEPTION 'the view % reads %, and would go on reading what is replaced', viewer, live
            USING ERRCODE = 'dependent_objects_still_exist';
    END IF;

    FOR reader IN
        SELECT CASE WHEN grantee = 0 THEN 'PUBLIC' ELSE format('%I', grantee::regrole::text) END AS grantee, privilege_type
        FROM pg_class, aclexplode(relacl)
        WHERE oid = format('public.%I', live)::regclass AND grantee <> relowner
    LOOP
        EXECUTE format('GRANT %s ON public.%I TO %s', reader.privilege_type, live || '__' || beside, reader.grantee);
    END LOOP;
    IF beside = 'rebuild' THEN
        EXECUTE format('DROP TABLE IF EXISTS public.%I', live || '__old');
    END IF;
    EXECUTE format('ALTER TABLE public.%I RENAME TO %I', live, live || '__gone');
    EXECUTE format('ALTER TABLE public.%I RENAME TO %I', live || '__' || beside, live);
    EXECUTE format('ALTER TABLE public.%I RENAME TO %I', live || '__gone', live || '__old');
    FOR place IN 1 .. cardinality(indexes) LOOP
        EXECUTE format('ALTER INDEX IF EXISTS public.%I RENAME TO %I', indexes[place], 'gone_' || place);
        EXECUTE format('ALTER INDEX IF EXISTS public.%I RENAME TO %I', coming[place], indexes[place]);
        EXECUTE format('ALTER INDEX IF EXISTS public.%I RENAME TO %I', 'gone_' || place, going[place]);
    END LOOP;

    DELETE FROM public.projections WHERE name IN (projection || '@old', projection || '@rebuild');
    INSERT INTO public.projections (name, version, status, position, event_position, event_id, epoch, beside)
    VALUES (projection || '@old', current.version, 'paused', current.position, current.event_position, current.event_id,
        current.epoch, projection);
    UPDATE public.projections
    SET version = next.version, position = next.position, event_position = next.event_position,
        event_id = next.event_id, epoch = next.epoch, error = NULL,
        lease_owner = NULL, lease_until = clock_timestamp(), lease_token = lease_token + 1
    WHERE name = projection;
    -- what was set aside belongs to the model that it is missing in
    DELETE FROM public.dead_letters AS letter WHERE letter.projection = current.name;
    UPDATE public.dead_letters AS letter SET projection = current.name WHERE letter.projection = next.name;
    RETURN true;
END;
$$;

INSERT INTO public.rillflow_migrations (version, name) VALUES (7, 'projections_runtime');
