-- From which position on a version keeps what its rows were; null is not at all. `history_since` is the moment that
-- belongs to it, null for one that began with the log. `history_to` moves with `position`, unless a binary that knows
-- nothing of this folds the version: then what lies between is missing.
ALTER TABLE projection_version ADD COLUMN history_from bigint, ADD COLUMN history_since timestamptz,
    ADD COLUMN history_to bigint;

-- When the events of a version that keeps what its rows were have been recorded, some of them a row, in their order.
CREATE TABLE projection_moments (
    name text NOT NULL,
    version integer NOT NULL,
    -- The latest moment of these events and all before them.
    latest timestamptz NOT NULL,
    last_position bigint NOT NULL,
    positions bigint[] NOT NULL,
    recorded timestamptz[] NOT NULL,
    PRIMARY KEY (name, version, latest, last_position),
    FOREIGN KEY (name, version) REFERENCES projection_version ON DELETE CASCADE
);
