-- What else than the log the rows of a version depend on, as its folds were set up with it; empty is nothing.
ALTER TABLE projection_version ADD COLUMN settings text NOT NULL DEFAULT '';
