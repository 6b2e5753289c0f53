-- What documents' values need to be indexed: dates and times without an offset, read the same in every session.

CREATE FUNCTION public.rillflow_date(value text) RETURNS date
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN value::date;

CREATE FUNCTION public.rillflow_time(value text) RETURNS time
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN value::time;

CREATE FUNCTION public.rillflow_timestamp(value text) RETURNS timestamp
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN value::timestamp;

INSERT INTO public.rillflow_migrations (version, name) VALUES (5, 'document_values');
