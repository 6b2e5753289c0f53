-- Stores a new document. No row: its id is taken.
-- $1 id, $2 document, from $3 its metadata
INSERT INTO public.docs_collection (id, doc/*meta , correlation_id, causation_id, headers, last_modified_by */)
VALUES ($1::uuid, $2::text::jsonb/*meta , $3::"uuid", $4::"uuid", $5::text::jsonb, $6::text */)
ON CONFLICT (id) DO NOTHING
RETURNING version
