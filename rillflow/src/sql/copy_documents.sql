-- Stores new documents, as many as the client sends: all of them or none.
COPY public.docs_collection (id, doc) FROM STDIN (FORMAT binary)
