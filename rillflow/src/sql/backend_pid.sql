-- Which session this is.
SELECT pg_backend_pid()
