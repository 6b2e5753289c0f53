-- What each program wanted when it last synced this schema, and in which state it left the catalog. A start that finds
-- both as they were has nothing to do, and asks one question to know it.

CREATE TABLE public.rillflow_syncs (
    -- A fingerprint of everything the program wants.
    wanted      text        PRIMARY KEY,
    -- The tables and sequences that it looked at.
    relations   text[]      NOT NULL,
    -- `rillflow_catalog_state(relations)` when it was done.
    state       text        NOT NULL,
    -- False: differences were left, as mending them would have destroyed something.
    complete    boolean     NOT NULL,
    synced_at   timestamptz NOT NULL DEFAULT now()
);

-- A fingerprint of the catalog's rows for some relations and for our functions: it changes with every change to any of
-- them, whoever makes it, and costs next to nothing, as no definition is put into words.
CREATE FUNCTION public.rillflow_catalog_state(relations text[]) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    WITH here AS MATERIALIZED (
        SELECT relnamespace AS oid FROM pg_class WHERE oid = 'public.rillflow_syncs'::regclass
    ), relation AS MATERIALIZED (
        SELECT class.oid, class.relname, class.reloptions::text, class.relrowsecurity, class.relforcerowsecurity
        FROM pg_class class JOIN here ON class.relnamespace = here.oid
        WHERE class.relname = ANY (relations)
    ), part (kind, oid, change) AS (
        SELECT 'relation', oid, row(relname, reloptions, relrowsecurity, relforcerowsecurity)::text FROM relation
        UNION ALL
        SELECT 'column', attrelid, attnum || ':' || it.xmin::text FROM pg_attribute it
        JOIN relation ON relation.oid = it.attrelid WHERE attnum > 0
        UNION ALL
        SELECT 'default', it.oid, it.xmin::text FROM pg_attrdef it JOIN relation ON relation.oid = it.adrelid
        UNION ALL
        SELECT 'constraint', it.oid, it.xmin::text FROM pg_constraint it JOIN relation ON relation.oid = it.conrelid
        UNION ALL
        SELECT 'index', it.indexrelid, it.xmin::text || index.relname FROM pg_index it
        JOIN relation ON relation.oid = it.indrelid JOIN pg_class index ON index.oid = it.indexrelid
        UNION ALL
        SELECT 'trigger', it.oid, it.xmin::text FROM pg_trigger it JOIN relation ON relation.oid = it.tgrelid
        UNION ALL
        SELECT 'policy', it.oid, it.xmin::text FROM pg_policy it JOIN relation ON relation.oid = it.polrelid
        UNION ALL
        SELECT 'sequence', it.seqrelid, it.xmin::text FROM pg_sequence it JOIN relation ON relation.oid = it.seqrelid
        UNION ALL
        -- by its content, as a GRANT changes the row and nothing else
        SELECT 'function', it.oid, md5(row(
            it.prosrc, it.prosqlbody, it.proconfig, it.prolang, it.prorettype, it.proargtypes, it.proargnames,
            it.provolatile, it.proparallel, it.proisstrict, it.prosecdef
        )::text) FROM pg_proc it JOIN here ON here.oid = it.pronamespace
        WHERE it.proname LIKE 'rillflow\_%'
    )
    SELECT md5(coalesce(string_agg(kind || oid || ':' || change, ' ' ORDER BY kind, oid, change), '')) FROM part
$$;

INSERT INTO public.rillflow_migrations (version, name) VALUES (9, 'schema');
