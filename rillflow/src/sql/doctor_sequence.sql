-- What the global order rests on, with its figures.
SELECT sequence.seqcache, sequence.seqincrement, sequence.seqcycle,
    coalesce(pg_sequence_last_value('public.events_global_seq'), 0),
    coalesce((SELECT max(global_seq) FROM public.events), 0),
    EXISTS (
        SELECT FROM pg_catalog.pg_trigger
        WHERE tgrelid = 'public.events'::regclass AND tgname = 'events_announce' AND tgenabled IN ('O', 'A')
    )
FROM pg_catalog.pg_sequence sequence
WHERE sequence.seqrelid = 'public.events_global_seq'::regclass
