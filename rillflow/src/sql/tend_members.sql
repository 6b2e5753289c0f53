-- Keeps members alive and hands partitions out.
-- $1 members, $2 their subscriptions, $3 groups, $4 seconds, $5 the channel of members
SELECT member, share, partition, token, position, acked, event_position, event_id, epoch, crashes,
    doubtful_until
FROM public.rillflow_tend_members($1::uuid[], $2::text[], $3::text[], $4::double precision[], $5::text)
