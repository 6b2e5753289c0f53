-- Takes in hand what waited long enough: the first of their streams, and no more than one suspect.
-- $1 subscription, $2 group, $3 partitions, $4 tokens, $5 limit, $6 whether a suspect may be among them
WITH due AS (
    SELECT r.position, r.suspect, held.token
    FROM unnest($3::integer[], $4::bigint[]) AS held (partition, token)
    JOIN public.subscription_retries AS r ON r.partition = held.partition
    WHERE r.subscription = $1::text AND r.group_name = $2::text AND r.head AND r.retry_at <= now()
        AND coalesce(r.token, 0) < held.token AND (NOT r.suspect OR $6::boolean)
        AND NOT EXISTS (
            SELECT FROM public.subscription_retries AS e
            WHERE e.subscription = $1 AND e.group_name = $2 AND e.stream_id = r.stream_id AND e.position < r.position
                AND (e.retry_at > now() OR e.suspect)
        )
    ORDER BY r.position
    LIMIT $5::bigint
), chosen AS (
    SELECT position, token FROM due WHERE NOT suspect
    UNION ALL
    SELECT min(position), min(token) FROM due
    WHERE suspect AND position = (SELECT min(position) FROM due WHERE suspect)
)
UPDATE public.subscription_retries AS r SET token = chosen.token
FROM chosen
WHERE r.subscription = $1 AND r.group_name = $2 AND r.position = chosen.position
    AND coalesce(r.token, 0) < chosen.token
RETURNING r.partition, r.position, r.attempts, r.suspect
