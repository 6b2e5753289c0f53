(
    -- The document with its changes made one after another: a decimal is text, and a number while it is added to.
    WITH RECURSIVE changed (doc, done) AS (
        SELECT doc, 0
        UNION ALL
        SELECT CASE step.change->>'op'
            WHEN 'as_number' THEN CASE WHEN changed.doc #>> step.path ~ '^[+-]?[0-9]+([.][0-9]+)?$'
                THEN jsonb_set(changed.doc, step.path, to_jsonb((changed.doc #>> step.path)::numeric))
                ELSE changed.doc END
            WHEN 'as_text' THEN jsonb_set(changed.doc, step.path, to_jsonb(changed.doc #>> step.path))
            ELSE public.rillflow_patch(changed.doc, jsonb_build_array(step.change))
            END, changed.done + 1
        FROM changed
        CROSS JOIN LATERAL (SELECT $changes::text::jsonb->changed.done) next (change)
        CROSS JOIN LATERAL (
            SELECT next.change, ARRAY(SELECT jsonb_array_elements_text(next.change->'path'))
        ) step (change, path)
        WHERE changed.done < jsonb_array_length($changes::text::jsonb)
    )
    SELECT changed.doc FROM changed ORDER BY changed.done DESC LIMIT 1
)