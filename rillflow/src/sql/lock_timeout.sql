-- Bounds the wait for locks in this transaction: those who come later queue behind it.
-- $1 milliseconds
SELECT set_config('lock_timeout', $1::text, true)
