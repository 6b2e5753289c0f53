-- Running projections: what they count, who works, what failed, and what is built beside a live read model.

ALTER TABLE public.projections
    -- Events handled and failures met, since the projection began; events per second while it last worked.
    ADD COLUMN processed    bigint           NOT NULL DEFAULT 0,
    ADD COLUMN failures     bigint           NOT NULL DEFAULT 0,
    ADD COLUMN rate         double precision NOT NULL DEFAULT 0,
    ADD COLUMN failed_at    timestamptz,
    -- Set: this row stands for a read model beside the live one of that projection, being built or kept.
    ADD COLUMN beside       text;

-- The processes that run projections, so that each takes its share.
CREATE TABLE public.projection_workers (
    owner       uuid        PRIMARY KEY,
    alive_until timestamptz NOT NULL
) WITH (fillfactor = 50);

-- Events that a projection failed on, and those that wait behind one of the same key. The payload stays in `events`, so
-- that it goes with its stream.
CREATE TABLE public.dead_letters (
    id          bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    projection  text        NOT NULL,
    position    bigint      NOT NULL,
    event_id    uuid        NOT NULL,
    keys        text[]      NOT NULL,
    -- NULL: it did not fail itself, it waits.
    error       text,
    attempts    integer     NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at  timestamptz NOT NULL DEFAULT clock_timestamp(),

    CONSTRAINT dead_letters_one_per_event UNIQUE (projection, position)
);

INSERT INTO public.rillflow_migrations (version, name) VALUES (7, 'projections_runtime');
