-- What every collection needs; the collections themselves come from the derives.

-- `text::timestamptz` depends on the session's DateStyle and TimeZone and so cannot be indexed. The timestamps in our
-- documents are RFC 3339 with an offset, which reads the same in every session.
CREATE FUNCTION public.rillflow_ts(value text) RETURNS timestamptz
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN value::timestamptz;

-- Ends a session whose streams or documents are not as expected: one statement, so nothing of it stays.
CREATE FUNCTION public.rillflow_refuse() RETURNS boolean
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RAISE EXCEPTION 'a stream or a document is not as this session expects' USING ERRCODE = 'RF001';
END;
$$;

INSERT INTO public.rillflow_migrations (version, name) VALUES (3, 'documents');
