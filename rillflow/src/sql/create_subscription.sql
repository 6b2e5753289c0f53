-- Makes a subscription, or gives it another filter. Where it begins stays as it was.
-- $1 name, $2 filter, $3 position
INSERT INTO public.subscriptions AS stored (name, filter, start_position)
VALUES ($1::text, $2::text::jsonb, $3::bigint)
ON CONFLICT (name) DO UPDATE SET filter = excluded.filter, updated_at = now()
    WHERE stored.filter IS DISTINCT FROM excluded.filter
