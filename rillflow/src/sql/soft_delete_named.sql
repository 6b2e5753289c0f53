-- Marks a document as deleted; the id as text. No row: it is already, or not there.
-- $1 id
UPDATE public.docs_collection
SET deleted_at = now(), version = version + 1, updated_at = now()
WHERE id = $1::text::uuid AND deleted_at IS NULL
RETURNING version
