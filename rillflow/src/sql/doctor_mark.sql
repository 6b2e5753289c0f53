-- The mark as it is, as it was published, and since when.
SELECT now.mark, now.drawn, published.mark, extract(epoch FROM clock_timestamp() - published.updated_at)::float8
FROM public.rillflow_safe_mark() now, public.event_marks published
