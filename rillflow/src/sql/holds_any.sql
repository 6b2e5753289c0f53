-- Whether the collection holds any document, deleted ones included.
SELECT EXISTS (SELECT FROM public.docs_collection)
