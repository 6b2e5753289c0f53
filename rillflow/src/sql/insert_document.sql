-- Stores a new document. No row: its id is taken.
-- $1 id, $2 document
INSERT INTO public.docs_collection (id, doc)
VALUES ($1::uuid, $2::text::jsonb)
ON CONFLICT (id) DO NOTHING
RETURNING version
