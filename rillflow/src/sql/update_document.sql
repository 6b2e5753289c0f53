-- Replaces a document that is still at the expected version. No row: it is not.
-- $1 id, $2 document, $3 expected version, from $4 its metadata
UPDATE public.docs_collection
SET doc = $2::text::jsonb, version = version + 1, updated_at = now()/*meta , correlation_id = $4::"uuid", causation_id = $5::"uuid", headers = $6::text::jsonb,
    last_modified_by = $7::text */
WHERE id = $1::uuid AND version = $3::bigint AND deleted_at IS NULL
RETURNING version
