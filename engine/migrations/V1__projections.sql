-- How projections tell their state to readers; columns and meaning in contract/src/status.rs.
CREATE TABLE projection (
    name text PRIMARY KEY,
    active_version integer NOT NULL
);

-- One row a version, updated in each batch: room on its page for new row versions, and early vacuuming.
CREATE TABLE projection_version (
    name text NOT NULL REFERENCES projection,
    version integer NOT NULL,
    state text NOT NULL,
    log_identity bigint NOT NULL,
    position bigint NOT NULL,
    -- Raised by every transaction of the worker that holds the projection; another value ends that worker's term.
    fence bigint NOT NULL,
    head_position bigint NOT NULL,
    -- How many events are not folded; null is not known.
    lag_events bigint,
    -- Recorded time of the oldest event not folded; null is caught up.
    pending_since timestamptz,
    reason text,
    failed_position bigint,
    heartbeat_at timestamptz NOT NULL,
    PRIMARY KEY (name, version)
) WITH (fillfactor = 20, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);

-- Per view its number of rows and, by column, the wrapping 128-bit sum of its values' hashes in hexadecimal.
CREATE TABLE projection_checksum (
    name text NOT NULL,
    version integer NOT NULL,
    view text NOT NULL,
    row_count bigint NOT NULL,
    checksums jsonb NOT NULL,
    PRIMARY KEY (name, version, view),
    FOREIGN KEY (name, version) REFERENCES projection_version ON DELETE CASCADE
) WITH (fillfactor = 20, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
