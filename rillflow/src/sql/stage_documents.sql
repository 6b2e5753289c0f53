-- Makes room for documents that may be there already, until the transaction ends.
CREATE TEMPORARY TABLE rillflow_bulk ON COMMIT DROP AS
SELECT id, doc, version AS place FROM public.docs_collection WITH NO DATA
