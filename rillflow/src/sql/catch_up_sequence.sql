-- Moves a collection's sequence behind the ids that were given by hand.
SELECT setval(
    pg_get_serial_sequence('public.docs_collection', 'id'),
    greatest(
        (SELECT max(id) FROM public.docs_collection),
        nextval(pg_get_serial_sequence('public.docs_collection', 'id'))
    )
)
