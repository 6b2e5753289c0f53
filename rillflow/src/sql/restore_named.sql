-- Brings a deleted document back; the id as text. No row: it is not deleted, or not there.
-- $1 id
UPDATE public.docs_collection
SET deleted_at = NULL, version = version + 1, updated_at = now()
WHERE id = $1::text::uuid AND deleted_at IS NOT NULL
RETURNING version
