-- What every collection needs; the collections themselves come from the derives.

-- `text::timestamptz` depends on the session's DateStyle and TimeZone and so cannot be indexed. The timestamps in our
-- documents are RFC 3339 with an offset, which reads the same in every session.
CREATE FUNCTION public.rillflow_ts(value text) RETURNS timestamptz
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN value::timestamptz;

INSERT INTO public.rillflow_migrations (version, name) VALUES (3, 'documents');
