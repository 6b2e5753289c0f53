-- A document, deleted or not, and all that is known of it.
-- $1 id
SELECT doc, version, created_at, updated_at, deleted_at/*meta , correlation_id, causation_id, headers::text, last_modified_by */
FROM public.docs_collection WHERE id = $1::uuid
