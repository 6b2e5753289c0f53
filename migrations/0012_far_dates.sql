-- Years before 1 and after 9999, which chrono writes as ISO 8601 has them (`-0044-03-15`, `+10000-01-01`) and PostgreSQL
-- reads in a notation of its own: what "always" and "never" are often stored as. Until now one such document made every
-- query on its field fail.

-- A date in PostgreSQL's notation. Whatever is before the first day that it knows becomes that day.
CREATE FUNCTION public.rillflow_far_date(value text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN CASE
    -- the last instant that chrono knows: rounded up it would be one that it does not
    WHEN value LIKE '+262142-12-31T23:59:59.999999%' THEN '262142-12-31T23:59:59.999999Z'
    WHEN value LIKE '+%' THEN substr(value, 2)
    -- there is no year 0: it is 1 BC
    WHEN split_part(ltrim(value, '-'), '-', 1)::integer < 4713
    THEN lpad((split_part(ltrim(value, '-'), '-', 1)::integer + 1)::text, 4, '0')
        || substr(ltrim(value, '-'), strpos(ltrim(value, '-'), '-')) || ' BC'
    ELSE '4714-11-24T00:00:00Z BC'
END;

CREATE OR REPLACE FUNCTION public.rillflow_ts(value text) RETURNS timestamptz
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN CASE WHEN value LIKE '+%' OR value LIKE '-%' OR value LIKE '0000%'
    THEN public.rillflow_far_date(value) ELSE value END::timestamptz;

CREATE OR REPLACE FUNCTION public.rillflow_date(value text) RETURNS date
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN CASE WHEN value LIKE '+%' OR value LIKE '-%' OR value LIKE '0000%'
    THEN public.rillflow_far_date(value) ELSE value END::date;

CREATE OR REPLACE FUNCTION public.rillflow_timestamp(value text) RETURNS timestamp
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN CASE WHEN value LIKE '+%' OR value LIKE '-%' OR value LIKE '0000%'
    THEN public.rillflow_far_date(value) ELSE value END::timestamp;

INSERT INTO public.rillflow_migrations (version, name) VALUES (12, 'far_dates');
