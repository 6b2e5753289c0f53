-- Messages that commit with events and documents, and go on to other systems from here.

-- Positions come from the sequence of the events, and are announced in the same way: so the safe mark covers messages
-- too, and a relay that reads up to it in the order of positions never misses one.
CREATE TABLE public.outbox_messages (
    position        bigint      PRIMARY KEY DEFAULT nextval('public.events_global_seq'),
    message_id      uuid        NOT NULL,
    topic           text        NOT NULL,
    -- Messages of one key are to be delivered in their order.
    key             text        NOT NULL,
    headers         jsonb,
    payload         json        NOT NULL,
    causation_id    uuid,
    correlation_id  uuid,
    created_at      timestamptz NOT NULL DEFAULT now(),

    CONSTRAINT outbox_messages_message_id_key UNIQUE (message_id)
);

CREATE TRIGGER outbox_messages_announce
    BEFORE INSERT ON public.outbox_messages
    FOR EACH STATEMENT
    WHEN (coalesce(current_setting('rillflow.announced', true), '') <> 'on')
    EXECUTE FUNCTION public.rillflow_announce();

INSERT INTO public.rillflow_migrations (version, name) VALUES (6, 'tags_and_outbox');
