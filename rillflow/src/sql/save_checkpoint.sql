-- behind `fence.sql`: no document depends on the checkpoint, or they are written by other statements
SELECT position FROM fence
