-- A row is one piece of work: its state, and the commands that the log has not answered yet. A row is written again
-- with nearly every event of its work: room on its page for new row versions.
CREATE TABLE fulfilment_v1 (
    saga_id uuid PRIMARY KEY,
    step text NOT NULL,
    state jsonb NOT NULL,
    outbox jsonb NOT NULL,
    due_at timestamptz,
    stuck_reason text,
    over boolean NOT NULL,
    updated_position bigint NOT NULL
) WITH (fillfactor = 70);

CREATE INDEX fulfilment_v1_by_due_at ON fulfilment_v1 (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX fulfilment_v1_stuck ON fulfilment_v1 (saga_id) WHERE stuck_reason IS NOT NULL;

CREATE TABLE return_handling_v1 (
    saga_id uuid PRIMARY KEY,
    step text NOT NULL,
    state jsonb NOT NULL,
    outbox jsonb NOT NULL,
    due_at timestamptz,
    stuck_reason text,
    over boolean NOT NULL,
    updated_position bigint NOT NULL
) WITH (fillfactor = 70);

CREATE INDEX return_handling_v1_by_due_at ON return_handling_v1 (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX return_handling_v1_stuck ON return_handling_v1 (saga_id) WHERE stuck_reason IS NOT NULL;
