-- Tries to become the only one who changes this schema. Tried again and again, not waited for: CREATE INDEX
-- CONCURRENTLY waits for every open statement, and a statement that waits for this lock would be one.
-- $1 schema
SELECT pg_try_advisory_lock(hashtext('rillflow schema'), hashtext($1::text))
