-- A letter and all that share a key with it or with one of those, in their order.
-- $1 projection, $2 id
WITH RECURSIVE together AS (
    SELECT id, position, keys FROM public.dead_letters WHERE projection = $1::text AND id = $2::bigint
    UNION
    SELECT other.id, other.position, other.keys
    FROM public.dead_letters AS other JOIN together ON other.keys && together.keys
    WHERE other.projection = $1
)
SELECT id, position FROM together ORDER BY position
