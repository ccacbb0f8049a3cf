-- Projection `customers`, version 1.

-- Name and e-mail are personal: null when not given or erased.
CREATE TABLE customers_v1 (
    user_id uuid PRIMARY KEY,
    customer_number text COLLATE "C" UNIQUE,
    country text NOT NULL,
    name text,
    email text,
    status text NOT NULL CHECK (status IN ('ACTIVE', 'DEACTIVATED')),
    registered_at timestamptz NOT NULL,
    revision bigint NOT NULL,
    updated_position bigint NOT NULL
);

CREATE INDEX customers_v1_by_registered_at ON customers_v1 (registered_at, user_id);
