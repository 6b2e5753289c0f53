-- Projections: how far each has come, and who may move it.

CREATE TABLE public.projections (
    name            text        PRIMARY KEY,
    version         integer     NOT NULL,
    status          text        NOT NULL DEFAULT 'running',
    -- The checkpoint: the position done, and the last event processed, by which a replaced history is recognised.
    position        bigint      NOT NULL DEFAULT 0,
    event_position  bigint,
    event_id        uuid,
    epoch           integer     NOT NULL DEFAULT 1,
    -- The lease: one owner at a time. The token grows with every owner, and every write must carry it.
    lease_owner     uuid,
    lease_token     bigint      NOT NULL DEFAULT 0,
    lease_until     timestamptz,
    error           text,
    updated_at      timestamptz NOT NULL DEFAULT now(),

    CONSTRAINT projections_status_known CHECK (status IN ('running', 'paused')),
    CONSTRAINT projections_position_from_zero CHECK (0 <= position)
) WITH (fillfactor = 50);

INSERT INTO public.rillflow_migrations (version, name) VALUES (2, 'projections');
