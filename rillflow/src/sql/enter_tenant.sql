-- Makes a connection a tenant's, for as long as it is open or until it is made another's. Not inside of a transaction, which
-- could take it back: COMMIT fails in one that somebody left open. `row_security_active` sees what a role may pass: a
-- superuser, BYPASSRLS, a table that is not guarded.
DO $enter$
BEGIN
    IF NOT row_security_active('public.events') THEN
        RAISE EXCEPTION '%', current_user USING ERRCODE = 'RF009';
    END IF;
    PERFORM set_config('rillflow.tenant', convert_from(decode('/* tenant */', 'hex'), 'UTF8'), false);
    COMMIT;
END
$enter$
