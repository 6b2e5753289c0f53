-- Pauses a group, or lets it go on; every group when none is named.
-- $1 subscription, $2 group (NULL: all), $3 status, $4 the channel of members
WITH changed AS (
    UPDATE public.subscription_groups SET status = $3::text
    WHERE subscription = $1::text AND ($2::text IS NULL OR group_name = $2)
    RETURNING group_name
), told AS (
    SELECT pg_notify($4::text, $1) WHERE EXISTS (SELECT FROM changed)
)
SELECT count(*) FROM changed, (SELECT count(*) FROM told) AS also
