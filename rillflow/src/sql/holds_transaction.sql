-- Whether a transaction is open here: it began before this statement, which otherwise begins one of its own.
SELECT now() <> statement_timestamp()
