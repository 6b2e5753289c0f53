-- Whether a program that wants this left the schema as it is now, and what the global order rests on: one position at a
-- time, never one twice, and the triggers that announce for others.
-- $1 wanted
SELECT
    (SELECT CASE WHEN state = public.rillflow_catalog_state(relations) THEN complete END
     FROM public.rillflow_syncs WHERE wanted = $1::text),
    sequence.seqcache = 1 AND sequence.seqincrement = 1 AND NOT sequence.seqcycle,
    coalesce(pg_sequence_last_value('public.events_global_seq'), 0)
        >= coalesce(greatest(
            (SELECT max(global_seq) FROM public.events), (SELECT max(position) FROM public.outbox_messages)
        ), 0),
    (
        SELECT count(*) = 2 FROM pg_catalog.pg_trigger
        WHERE (tgrelid, tgname) IN (
                ('public.events'::regclass, 'events_announce'),
                ('public.outbox_messages'::regclass, 'outbox_messages_announce')
            )
            AND tgenabled IN ('O', 'A')
    )
FROM pg_catalog.pg_sequence sequence
WHERE sequence.seqrelid = 'public.events_global_seq'::regclass
