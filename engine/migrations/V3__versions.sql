-- The version that was active before, kept for going back to it; and the highest number that a version has had, for
-- numbers are not used again.
ALTER TABLE projection ADD COLUMN previous_version integer, ADD COLUMN last_version integer NOT NULL DEFAULT 0;
UPDATE projection p SET last_version =
    (SELECT coalesce(max(version), p.active_version) FROM projection_version v WHERE v.name = p.name);

-- Which state of the code makes a version's rows, and how far the version is on its way to readers
-- (contract/src/status.rs, Stage). Until now the two numbers were one, and every version was for readers.
ALTER TABLE projection_version ADD COLUMN fold integer, ADD COLUMN stage text NOT NULL DEFAULT 'READY';
UPDATE projection_version SET fold = version;
ALTER TABLE projection_version ALTER COLUMN fold SET NOT NULL;

-- How a version was or is being built.
CREATE TABLE projection_build (
    name text NOT NULL,
    version integer NOT NULL,
    phase text NOT NULL,
    started_at timestamptz NOT NULL,
    finished_at timestamptz,
    -- Events folded and rows written so far.
    events bigint NOT NULL,
    row_count bigint NOT NULL,
    -- How far in the log, of how far.
    position bigint NOT NULL,
    target bigint NOT NULL,
    -- What is not the same as in the version in use, by view; null is nothing.
    difference jsonb,
    PRIMARY KEY (name, version),
    FOREIGN KEY (name, version) REFERENCES projection_version ON DELETE CASCADE
);
