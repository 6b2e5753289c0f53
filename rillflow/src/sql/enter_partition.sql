-- Takes a partition's checkpoint over into the present epoch of the log, from an older one. No row: it has another owner.
-- $1 subscription, $2 group, $3 partition, $4 token, $5 epoch, $6 position, $7 done beyond it, $8 position and $9 id of
-- the last event done
UPDATE public.subscription_partitions
SET epoch = $5::integer, position = $6::bigint, acked = $7::bigint[], event_position = $8::bigint, event_id = $9::uuid,
    updated_at = clock_timestamp()
WHERE subscription = $1::text AND group_name = $2::text AND partition = $3::integer AND token = $4::bigint
RETURNING partition
