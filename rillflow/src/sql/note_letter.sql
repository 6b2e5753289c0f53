-- A dead letter failed once more.
-- $1 id, $2 error
UPDATE public.dead_letters
SET error = $2::text, attempts = attempts + 1, updated_at = clock_timestamp()
WHERE id = $1::bigint
