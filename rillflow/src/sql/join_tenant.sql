-- Makes the caller's transaction a tenant's until it ends, unless it is another's: then the last column is NULL.
-- $1 tenant
SELECT row_security_active('public.events'), current_user::text,
    CASE WHEN coalesce(nullif(current_setting('rillflow.tenant', true), ''), $1::text) = $1
        THEN set_config('rillflow.tenant', $1, true) END
