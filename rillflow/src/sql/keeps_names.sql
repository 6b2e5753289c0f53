-- Whether a prepared statement still has the name that this program gave it: so it does where nobody is in between, and behind
-- poolers that only hand names on. Sent under a name.
SELECT EXISTS (SELECT FROM pg_prepared_statements WHERE name LIKE 'sqlx\_s\_%')
