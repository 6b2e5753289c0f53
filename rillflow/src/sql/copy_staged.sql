-- Documents on their way to a collection, numbered as they come.
COPY pg_temp.rillflow_bulk (id, doc, place) FROM STDIN (FORMAT binary)
