-- Shards: a projection split by stream. Each shard has a row of its own, with its checkpoint and its lease, and so a process
-- of its own. The rows of a projection are those with `coalesce(shard_of, name)`; what is built or kept beside a live read
-- model, `x@rebuild` and `x@old`, has its shards in the same way.

ALTER TABLE public.projections
    -- The projection that this row is a further shard of. Shard 0 is the projection's own row.
    ADD COLUMN shard_of text,
    ADD COLUMN shard    integer NOT NULL DEFAULT 0,
    -- How many there are: the same on each.
    ADD COLUMN shards   integer NOT NULL DEFAULT 1,
    ADD CONSTRAINT projections_shard_is_one_of_them CHECK (0 <= shard AND shard < shards AND shards <= 1024),
    ADD CONSTRAINT projections_first_shard_is_their_own CHECK ((shard = 0) = (shard_of IS NULL));

-- Splits a projection anew, when `owner` holds all its shards and all are at one position. False: it does not, or they
-- are not. Nobody owns the new ones; their tokens go on from the old ones', as none may ever come twice.
CREATE FUNCTION public.rillflow_split(projection text, owner uuid, shards integer) RETURNS boolean
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    splits boolean;
    newest bigint;
    last   public.projections;
BEGIN
    PERFORM FROM public.projections AS p WHERE coalesce(p.shard_of, p.name) = $1 ORDER BY p.name FOR UPDATE;
    SELECT count(DISTINCT p.position) = 1 AND bool_and(p.lease_owner IS NOT DISTINCT FROM $2), max(p.lease_token)
    INTO splits, newest
    FROM public.projections AS p WHERE coalesce(p.shard_of, p.name) = $1;
    IF splits IS NOT TRUE THEN
        RETURN false;
    END IF;
    -- the last event that any of them processed
    SELECT * INTO last FROM public.projections AS p
    WHERE coalesce(p.shard_of, p.name) = $1 ORDER BY p.event_position DESC NULLS LAST LIMIT 1;
    UPDATE public.projections AS p
    SET shards = $3, event_position = last.event_position, event_id = last.event_id, lease_owner = NULL,
        lease_until = clock_timestamp(), lease_token = newest + 1,
        processed = (SELECT sum(s.processed) FROM public.projections AS s WHERE coalesce(s.shard_of, s.name) = $1),
        failures = (SELECT sum(s.failures) FROM public.projections AS s WHERE coalesce(s.shard_of, s.name) = $1)
    WHERE p.name = $1;
    DELETE FROM public.projections AS p WHERE p.shard_of = $1;
    INSERT INTO public.projections (name, version, status, position, event_position, event_id, epoch, lease_token, lease_until,
        shard_of, shard, shards)
    SELECT $1 || '#' || number, own.version, own.status, own.position, own.event_position, own.event_id, own.epoch,
        own.lease_token, own.lease_until, $1, number, $3
    FROM public.projections AS own, generate_series(1, $3 - 1) AS number
    WHERE own.name = $1;
    RETURN true;
END;
$$;

-- As before, with all shards of what is given up.
CREATE OR REPLACE FUNCTION public.rillflow_drop_beside(projection text, live text, beside text) RETURNS boolean
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    there boolean;
BEGIN
    DELETE FROM public.projections AS p WHERE coalesce(p.shard_of, p.name) = $1 || '@' || $3;
    there := FOUND;
    DELETE FROM public.dead_letters AS letter WHERE letter.projection = $1 || '@' || $3;
    EXECUTE format('DROP TABLE IF EXISTS public.%I', live || '__' || $3);
    RETURN there;
END;
$$;

-- As before, with all shards: the live ones must all be held by the owner that `token` is of, and those beside be at one
-- position no earlier than any of them. The live ones go on from there; what is kept remembers where each of its own was.
-- An inline projection has no owner, and `token` is 0: whoever swaps has locked its table.
CREATE OR REPLACE FUNCTION public.rillflow_swap_read_model(
    projection text, token bigint, live text, beside text, indexes text[], coming text[], going text[]
) RETURNS boolean
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    current  public.projections;
    were     public.projections[];
    next     public.projections[];
    furthest bigint;
    newest   bigint;
    viewer   text;
    reader   record;
BEGIN
    PERFORM FROM public.projections AS p
    WHERE coalesce(p.shard_of, p.name) IN ($1, $1 || '@' || $4) ORDER BY p.name FOR UPDATE;
    SELECT * INTO current FROM public.projections AS p WHERE p.name = $1 AND p.lease_token = $2;
    SELECT array_agg(p ORDER BY p.shard), max(p.position), max(p.lease_token) INTO were, furthest, newest
    FROM public.projections AS p
    WHERE coalesce(p.shard_of, p.name) = $1 AND p.lease_owner IS NOT DISTINCT FROM current.lease_owner;
    SELECT array_agg(p ORDER BY p.shard) INTO next
    FROM public.projections AS p WHERE coalesce(p.shard_of, p.name) = $1 || '@' || $4;
    IF next IS NULL OR $2 > 0 AND (current.name IS NULL OR cardinality(were) < current.shards) THEN
        RETURN false;
    END IF;
    IF $4 = 'rebuild' AND EXISTS (
        SELECT FROM unnest(next) AS built WHERE built.position < furthest OR built.position <> next[1].position
    ) THEN
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
        EXECUTE format('GRANT %s ON public.%I TO %s', reader.privilege_type, live || '__' || $4, reader.grantee);
    END LOOP;
    IF $4 = 'rebuild' THEN
        EXECUTE format('DROP TABLE IF EXISTS public.%I', live || '__old');
    END IF;
    EXECUTE format('ALTER TABLE public.%I RENAME TO %I', live, live || '__gone');
    EXECUTE format('ALTER TABLE public.%I RENAME TO %I', live || '__' || $4, live);
    EXECUTE format('ALTER TABLE public.%I RENAME TO %I', live || '__gone', live || '__old');
    FOR place IN 1 .. cardinality(indexes) LOOP
        EXECUTE format('ALTER INDEX IF EXISTS public.%I RENAME TO %I', indexes[place], 'gone_' || place);
        EXECUTE format('ALTER INDEX IF EXISTS public.%I RENAME TO %I', coming[place], indexes[place]);
        EXECUTE format('ALTER INDEX IF EXISTS public.%I RENAME TO %I', 'gone_' || place, going[place]);
    END LOOP;

    DELETE FROM public.projections AS p WHERE p.beside = $1;
    INSERT INTO public.projections (name, version, status, position, event_position, event_id, epoch, beside, shard_of,
        shard, shards)
    SELECT $1 || '@old' || CASE shard WHEN 0 THEN '' ELSE '#' || shard END, version, 'paused', position, event_position,
        event_id, epoch, $1, CASE WHEN shard > 0 THEN $1 || '@old' END, shard, shards
    FROM unnest(were);
    IF $4 = 'rebuild' THEN
        -- what was built is at one position: as many shards as there were go on from it
        SELECT array_agg((
            jsonb_populate_record(next[1], jsonb_build_object('shard', was.shard, 'shards', was.shards))
        )) INTO next FROM unnest(were) AS was;
    END IF;
    DELETE FROM public.projections AS p WHERE p.shard_of = $1;
    UPDATE public.projections AS p
    SET version = it.version, position = it.position, event_position = it.event_position, event_id = it.event_id,
        epoch = it.epoch, shards = it.shards, error = NULL, lease_owner = NULL, lease_until = clock_timestamp(),
        lease_token = newest + 1
    FROM unnest(next) AS it WHERE it.shard = 0 AND p.name = $1;
    INSERT INTO public.projections (name, version, status, position, event_position, event_id, epoch, lease_token, lease_until,
        shard_of, shard, shards)
    SELECT $1 || '#' || it.shard, it.version, current.status, it.position, it.event_position, it.event_id, it.epoch,
        newest + 1, clock_timestamp(), $1, it.shard, it.shards
    FROM unnest(next) AS it WHERE it.shard > 0;
    -- what was set aside belongs to the model that it is missing in
    DELETE FROM public.dead_letters AS letter WHERE letter.projection = $1;
    UPDATE public.dead_letters AS letter SET projection = $1 WHERE letter.projection = $1 || '@' || $4;
    RETURN true;
END;
$$;

INSERT INTO public.rillflow_migrations (version, name) VALUES (10, 'shards');
