-- Gives each table a column for the tenant that a row is of, begins every key with it, and lets nobody pass but by the
-- setting `rillflow.tenant`, which without a tenant shows no row and takes none. Runs behind the migrations and the
-- collections, as often as there is something new; what is as it should be stays as it is.

CREATE TABLE IF NOT EXISTS public.rillflow_tenants (
    tenant      text        COLLATE "C" PRIMARY KEY,
    created_at  timestamptz NOT NULL DEFAULT now(),
    -- Set: it is being dropped, and takes no row any more.
    dropped_at  timestamptz
);

DO $tenancy$
DECLARE
    here        CONSTANT oid := (SELECT relnamespace FROM pg_class WHERE oid = 'public.streams'::regclass);
    its_tenant  CONSTANT text := 'tenant = nullif(current_setting(''rillflow.tenant'', true), '''')';
    owner_table record;
    key         record;
    foreign_key record;
    led         text[] := '{}';
    again       text;
BEGIN
    -- keys to other tables first: what they rest on is made anew
    FOR foreign_key IN
        SELECT it.conrelid::regclass AS place, it.conname, pg_get_constraintdef(it.oid) AS definition
        FROM pg_constraint it JOIN pg_class class ON class.oid = it.conrelid
        JOIN pg_attribute first ON first.attrelid = it.conrelid AND first.attnum = it.conkey[1]
        WHERE it.contype = 'f' AND class.relnamespace = here
            AND class.relname = ANY (ARRAY[/* tables */]) AND first.attname <> 'tenant'
    LOOP
        EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', foreign_key.place, foreign_key.conname);
        led := led || format('ALTER TABLE %s ADD CONSTRAINT %I %s', foreign_key.place, foreign_key.conname,
            regexp_replace(replace(foreign_key.definition, 'FOREIGN KEY (', 'FOREIGN KEY (tenant, '),
                '( REFERENCES [^(]+\()', '\1tenant, '));
    END LOOP;

    FOR owner_table IN
        SELECT class.oid, class.oid::regclass AS name, class.relrowsecurity AND class.relforcerowsecurity AS guarded
        FROM pg_class class
        WHERE class.relnamespace = here AND class.relkind IN ('r', 'p') AND class.relname = ANY (ARRAY[/* tables */])
        ORDER BY class.relname
    LOOP
        IF NOT EXISTS (
            SELECT FROM pg_attribute WHERE attrelid = owner_table.oid AND attname = 'tenant' AND NOT attisdropped
        ) THEN
            -- in two steps: the default of a column that is added is looked up at once, and here is no tenant
            EXECUTE format('ALTER TABLE %s ADD COLUMN tenant text COLLATE "C"', owner_table.name);
            EXECUTE format('ALTER TABLE %s ALTER COLUMN tenant SET DEFAULT current_setting(%L), ALTER COLUMN tenant SET NOT NULL',
                owner_table.name, 'rillflow.tenant');
        END IF;
        FOR key IN
            SELECT it.conname, replace(replace(pg_get_constraintdef(it.oid), 'PRIMARY KEY (', 'PRIMARY KEY (tenant, '),
                'UNIQUE (', 'UNIQUE (tenant, ') AS definition
            FROM pg_constraint it
            JOIN pg_attribute first ON first.attrelid = it.conrelid AND first.attnum = it.conkey[1]
            WHERE it.conrelid = owner_table.oid AND it.contype IN ('p', 'u') AND first.attname <> 'tenant'
        LOOP
            EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I, ADD CONSTRAINT %I %s',
                owner_table.name, key.conname, key.conname, key.definition);
        END LOOP;
        FOR key IN
            SELECT index.indexrelid::regclass AS name,
                replace(pg_get_indexdef(index.indexrelid), ' USING btree (', ' USING btree (tenant, ') AS definition
            FROM pg_index index
            JOIN pg_class class ON class.oid = index.indexrelid JOIN pg_am method ON method.oid = class.relam
            LEFT JOIN pg_attribute first ON first.attrelid = index.indrelid AND first.attnum = index.indkey[0]
            WHERE index.indrelid = owner_table.oid AND method.amname = 'btree' AND first.attname IS DISTINCT FROM 'tenant'
                AND NOT EXISTS (SELECT FROM pg_constraint own WHERE own.conindid = index.indexrelid)
        LOOP
            EXECUTE format('DROP INDEX %s', key.name);
            EXECUTE key.definition;
        END LOOP;
        IF NOT owner_table.guarded THEN
            EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', owner_table.name);
        END IF;
        IF NOT EXISTS (SELECT FROM pg_policy WHERE polrelid = owner_table.oid AND polname = 'rillflow_tenant') THEN
            EXECUTE format('CREATE POLICY rillflow_rows ON %s USING (true)', owner_table.name);
            -- restrictive: no policy that somebody adds lets anybody past it
            EXECUTE format(
                'CREATE POLICY rillflow_tenant ON %s AS RESTRICTIVE USING (%s) WITH CHECK (%s AND EXISTS ('
                    'SELECT FROM public.rillflow_tenants known WHERE known.tenant = current_setting(''rillflow.tenant'', true)'
                    ' AND (known.dropped_at IS NULL OR known.tenant = current_setting(''rillflow.dropping'', true))))',
                owner_table.name, its_tenant, its_tenant);
        END IF;
    END LOOP;

    FOREACH again IN ARRAY led LOOP
        EXECUTE again;
    END LOOP;

    -- the same tag is another lock for another tenant
    SELECT pg_get_functiondef(it.oid) INTO again FROM pg_proc it
    WHERE it.pronamespace = here AND it.proname = 'rillflow_lock_tags';
    IF again NOT LIKE '%rillflow.tenant%' THEN
        EXECUTE replace(again, 'store CONSTANT bigint := ',
            'store CONSTANT bigint := hashtextextended(current_setting(''rillflow.tenant''), 0) # ');
    END IF;
END
$tenancy$
