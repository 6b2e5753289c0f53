-- Keeps everybody away from a live read model until the transaction ends. Whoever writes it has committed by then, and
-- whoever waits writes what has its name afterwards.
LOCK TABLE public.docs_collection IN ACCESS EXCLUSIVE MODE
