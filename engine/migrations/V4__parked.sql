-- What a version could not fold: a row of a view, or a whole stream. `since` and the columns behind it are those of the
-- event that failed; it and all later events of the row or stream wait.
CREATE TABLE projection_parked (
    name text NOT NULL,
    version integer NOT NULL,
    -- The view and the values of its key columns as a JSON array; without a view the name of the stream.
    view text NOT NULL,
    key text NOT NULL,
    since timestamptz NOT NULL,
    position bigint NOT NULL,
    stream text NOT NULL,
    revision bigint NOT NULL,
    event_type text NOT NULL,
    reason text NOT NULL,
    tries integer NOT NULL,
    -- Put aside while the version was built: its worker folds it before anything else.
    held boolean NOT NULL,
    PRIMARY KEY (name, version, view, key),
    FOREIGN KEY (name, version) REFERENCES projection_version ON DELETE CASCADE
);

-- The events that wait, the failed one first; they are read from the log when they are folded.
CREATE TABLE projection_waiting (
    name text NOT NULL,
    version integer NOT NULL,
    view text NOT NULL,
    key text NOT NULL,
    position bigint NOT NULL,
    stream text NOT NULL,
    revision bigint NOT NULL,
    PRIMARY KEY (name, version, view, key, position),
    FOREIGN KEY (name, version, view, key) REFERENCES projection_parked ON DELETE CASCADE
);

-- How many rows and streams are parked, so that readers need not look when there are none.
ALTER TABLE projection_version ADD COLUMN parked integer NOT NULL DEFAULT 0;

-- What the comparison with the version in use left out: parked keys, and rows of summaries to which they contribute.
ALTER TABLE projection_build ADD COLUMN left_out_keys bigint NOT NULL DEFAULT 0,
    ADD COLUMN left_out_sums bigint NOT NULL DEFAULT 0;
