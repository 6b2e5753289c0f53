-- Replaces a document that is still at the expected version. No row: it is not.
-- $1 id, $2 document, $3 expected version
UPDATE public.docs_collection
SET doc = $2::text::jsonb, version = version + 1, updated_at = now()
WHERE id = $1::uuid AND version = $3::bigint AND deleted_at IS NULL
RETURNING version
