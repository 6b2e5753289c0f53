-- Has the server end this transaction when its process falls silent, so that it holds up no other owner.
-- $1 milliseconds
SELECT set_config('idle_in_transaction_session_timeout', $1::text, true)
