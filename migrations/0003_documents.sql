-- What every collection needs; the collections themselves come from the derives.

-- `text::timestamptz` depends on the session's DateStyle and TimeZone and so cannot be indexed. The timestamps in our
-- documents are RFC 3339 with an offset, which reads the same in every session.
CREATE FUNCTION public.rillflow_ts(value text) RETURNS timestamptz
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN value::timestamptz;

-- Documents of no declared type: a collection as the derives make them, searchable by whatever it holds.
CREATE TABLE public.docs (
    id          uuid        PRIMARY KEY,
    doc         jsonb       NOT NULL,
    version     bigint      NOT NULL DEFAULT 1,
    created_at  timestamptz NOT NULL DEFAULT now(),
    updated_at  timestamptz NOT NULL DEFAULT now(),
    deleted_at  timestamptz
);
CREATE INDEX docs_doc_gin ON public.docs USING gin (doc jsonb_path_ops);

-- Applies changes to a document in their order, as `[{"op": "set", "path": ["address", "city"], "value": "Oslo"}]`.
-- Each changes what is at its path and nothing beside it; objects missing on the way come into being.
-- Refuses, with SQLSTATE RF002, what does not fit what is stored.
CREATE FUNCTION public.rillflow_patch(doc jsonb, changes jsonb) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    change  jsonb;
    path    text[];
    stored  jsonb; -- what is at the path; NULL when there is nothing, or a JSON null
    changed jsonb;
    needed  text;
BEGIN
    FOR change IN SELECT value FROM jsonb_array_elements(changes) LOOP
        path := ARRAY(SELECT jsonb_array_elements_text(change->'path'));
        stored := nullif(doc #> path, 'null');
        needed := CASE change->>'op'
            WHEN 'increment' THEN 'number' WHEN 'increment_real' THEN 'number' WHEN 'increment_float' THEN 'number'
            WHEN 'append' THEN 'array' WHEN 'append_if_missing' THEN 'array'
            WHEN 'insert' THEN 'array' WHEN 'remove' THEN 'array'
        END;
        IF jsonb_typeof(stored) <> needed THEN
            RAISE EXCEPTION '% holds a JSON %, and `%` needs a JSON %',
                array_to_string(path, '.'), jsonb_typeof(stored), change->>'op', needed USING ERRCODE = 'RF002';
        END IF;
        IF needed = 'array' THEN
            stored := coalesce(stored, '[]');
        END IF;

        CASE change->>'op'
        WHEN 'set' THEN
            changed := change->'value';
        WHEN 'increment' THEN
            changed := to_jsonb(coalesce(stored::numeric, 0) + (change->'value')::numeric);
        WHEN 'increment_real' THEN
            changed := to_jsonb(coalesce(stored::real, 0) + (change->'value')::real);
        WHEN 'increment_float' THEN
            changed := to_jsonb(coalesce(stored::float8, 0) + (change->'value')::float8);
        WHEN 'append' THEN
            changed := stored || jsonb_build_array(change->'value');
        WHEN 'append_if_missing' THEN
            CONTINUE WHEN EXISTS (SELECT FROM jsonb_array_elements(stored) WHERE value = change->'value');
            changed := stored || jsonb_build_array(change->'value');
        WHEN 'insert' THEN
            changed := jsonb_insert(stored, ARRAY[change->>'at'], change->'value');
        WHEN 'remove' THEN
            SELECT coalesce(jsonb_agg(value ORDER BY ordinality), '[]') INTO changed
            FROM jsonb_array_elements(stored) WITH ORDINALITY WHERE value <> change->'value';
        WHEN 'unset' THEN
            doc := doc #- path;
            CONTINUE;
        WHEN 'rename' THEN
            changed := doc #> (trim_array(path, 1) || (change->>'from'));
            CONTINUE WHEN changed IS NULL;
            doc := doc #- (trim_array(path, 1) || (change->>'from'));
        END CASE;
        IF change ? 'max' AND changed::numeric NOT BETWEEN (change->'min')::numeric AND (change->'max')::numeric THEN
            RAISE EXCEPTION '% would become %, beyond what its type holds', array_to_string(path, '.'), changed
                USING ERRCODE = 'RF002';
        END IF;

        FOR depth IN 0 .. cardinality(path) - 1 LOOP
            stored := nullif(doc #> path[:depth], 'null');
            IF stored IS NULL AND depth > 0 THEN
                doc := jsonb_set(doc, path[:depth], '{}');
            ELSIF jsonb_typeof(stored) IS DISTINCT FROM 'object' THEN
                RAISE EXCEPTION '% lies inside a JSON %, not an object',
                    array_to_string(path, '.'), coalesce(jsonb_typeof(stored), 'null') USING ERRCODE = 'RF002';
            END IF;
        END LOOP;
        doc := jsonb_set(doc, path, changed);
    END LOOP;
    RETURN doc;
END;
$$;

-- Ends a session whose streams or documents are not as expected: one statement, so nothing of it stays.
CREATE FUNCTION public.rillflow_refuse() RETURNS boolean
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RAISE EXCEPTION 'a stream or a document is not as this session expects' USING ERRCODE = 'RF001';
END;
$$;

INSERT INTO public.rillflow_migrations (version, name) VALUES (3, 'documents');
