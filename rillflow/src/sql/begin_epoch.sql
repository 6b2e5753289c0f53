-- Begins a new epoch: after a failover or a restore.
SELECT epoch, after_position FROM public.rillflow_begin_epoch()
