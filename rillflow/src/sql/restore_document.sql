-- Brings a deleted document back. No row: it is not deleted, or not there.
-- $1 id, from $2 its metadata
UPDATE public.docs_collection
SET deleted_at = NULL, version = version + 1, updated_at = now()/*meta , correlation_id = $2::"uuid", causation_id = $3::"uuid", headers = $4::text::jsonb,
    last_modified_by = $5::text */
WHERE id = $1::uuid AND deleted_at IS NOT NULL
RETURNING version
