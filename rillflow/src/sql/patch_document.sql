-- Changes parts of a document. No row: it is deleted, not at the expected version, or not there.
-- $1 id, $2 changes, $3 expected version, null for any, from $4 its metadata
UPDATE public.docs_collection
SET doc = public.rillflow_patch(doc, $2::text::jsonb), version = version + 1, updated_at = now()/*meta , correlation_id = $4::"uuid", causation_id = $5::"uuid", headers = $6::text::jsonb,
    last_modified_by = $7::text */
WHERE id = $1::uuid AND deleted_at IS NULL AND ($3::bigint IS NULL OR version = $3)
RETURNING version
