-- The name of this role, and whether row level security holds for it at all.
SELECT current_user::text, rolsuper OR rolbypassrls FROM pg_catalog.pg_roles WHERE rolname = current_user
