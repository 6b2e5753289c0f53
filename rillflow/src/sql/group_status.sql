-- How far groups are, and who belongs to them.
-- $1 subscription, $2 group (NULL: all), $3 the mark
SELECT g.group_name, g.status, reached.position, greatest($3::bigint - reached.position, 0) AS lag,
    coalesce((
        SELECT greatest(extract(epoch FROM clock_timestamp() - event.created_at)::double precision, 0)
        FROM public.events AS event
        WHERE event.global_seq > reached.position AND event.global_seq <= $3
        ORDER BY event.global_seq
        LIMIT 1
    ), 0) AS lag_seconds,
    (SELECT count(*) FROM public.subscription_retries AS r
     WHERE r.subscription = g.subscription AND r.group_name = g.group_name) AS retries,
    (SELECT count(*) FROM public.subscription_dead_letters AS d
     WHERE d.subscription = g.subscription AND d.group_name = g.group_name) AS dead_letters,
    reached.partitions::text,
    coalesce((
        SELECT jsonb_agg(jsonb_build_object(
            'member', m.member, 'joined_at', m.joined_at, 'alive_until', m.alive_until) ORDER BY m.joined_at, m.member)
        FROM public.subscription_members AS m
        WHERE m.subscription = g.subscription AND m.group_name = g.group_name AND m.alive_until >= clock_timestamp()
    ), '[]')::text AS members
FROM public.subscription_groups AS g
CROSS JOIN LATERAL (
    SELECT min(p.position) AS position, jsonb_agg(jsonb_build_object(
        'partition', p.partition, 'position', p.position, 'owner', p.owner, 'token', p.token) ORDER BY p.partition
    ) AS partitions
    FROM public.subscription_partitions AS p
    WHERE p.subscription = g.subscription AND p.group_name = g.group_name
) AS reached
WHERE g.subscription = $1::text AND ($2::text IS NULL OR g.group_name = $2)
ORDER BY g.group_name
