-- A letter, or those of a key; and where events wait behind others, all that share a key with one of them. In their order.
-- $1 projection, $2 id or NULL, $3 key or NULL, $4 whether events wait behind others
WITH RECURSIVE together AS (
    SELECT id, position, keys FROM public.dead_letters
    WHERE projection = $1::text AND (id = $2::bigint OR $3::text = ANY (keys))
    UNION
    SELECT other.id, other.position, other.keys
    FROM public.dead_letters AS other JOIN together ON other.keys && together.keys
    WHERE other.projection = $1 AND $4::boolean
)
SELECT id, position FROM together ORDER BY position
