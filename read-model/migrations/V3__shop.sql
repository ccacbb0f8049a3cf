-- Projection `shop`, version 1: orders, payments, shipments, returns, and the sales summaries over them.

-- Orders. `sale_day` is the day of `placed_at` in the shop's time zone.
CREATE TABLE orders_v1 (
    order_id uuid PRIMARY KEY,
    number text COLLATE "C" UNIQUE,
    -- Both null for a guest.
    customer_id uuid,
    customer_number text COLLATE "C",
    country text NOT NULL,
    currency text NOT NULL,
    status text NOT NULL CHECK (status IN ('PLACED', 'RESERVED', 'PAID', 'SHIPPED', 'DELIVERED', 'CANCELLED')),
    cancel_reason text,
    placed_at timestamptz NOT NULL,
    sale_day date NOT NULL,
    gross_minor bigint NOT NULL,
    units bigint NOT NULL,
    line_count bigint NOT NULL,
    revision bigint NOT NULL,
    updated_position bigint NOT NULL
) WITH (fillfactor = 80);

-- Pages are newest first: of all, of a customer, of a status.
CREATE INDEX orders_v1_by_placed_at ON orders_v1 (placed_at, order_id);
CREATE INDEX orders_v1_by_customer ON orders_v1 (customer_number, placed_at, order_id);
CREATE INDEX orders_v1_by_status ON orders_v1 (status, placed_at, order_id);

-- The lines of an order: a row of their own, so that a step of the order does not load them.
-- lines: [{"productId", "sku", "description" (or null), "quantity", "unitPriceMinor"}].
CREATE TABLE order_lines_v1 (
    order_id uuid PRIMARY KEY,
    lines jsonb NOT NULL,
    sale_day date NOT NULL,
    cancelled boolean NOT NULL,
    updated_position bigint NOT NULL
);

CREATE TABLE payments_v1 (
    payment_id uuid PRIMARY KEY,
    order_id uuid NOT NULL,
    amount_minor bigint NOT NULL,
    currency text NOT NULL,
    status text NOT NULL CHECK (status IN ('REQUESTED', 'AUTHORIZED', 'CAPTURED', 'DECLINED')),
    -- What the gateway calls it.
    reference text,
    decline_reason text,
    refunded_minor bigint NOT NULL,
    requested_at timestamptz NOT NULL,
    revision bigint NOT NULL,
    updated_position bigint NOT NULL
) WITH (fillfactor = 80);

CREATE INDEX payments_v1_by_order ON payments_v1 (order_id, requested_at, payment_id);

CREATE TABLE shipments_v1 (
    shipment_id uuid PRIMARY KEY,
    order_id uuid NOT NULL,
    status text NOT NULL CHECK (status IN ('REQUESTED', 'DISPATCHED', 'DELIVERED', 'FAILED')),
    -- What the carrier calls it.
    reference text,
    failure_reason text,
    requested_at timestamptz NOT NULL,
    dispatched_at timestamptz,
    delivered_at timestamptz,
    revision bigint NOT NULL,
    updated_position bigint NOT NULL
) WITH (fillfactor = 80);

CREATE INDEX shipments_v1_by_order ON shipments_v1 (order_id, requested_at, shipment_id);

-- Returns. `return_day` is the day of `received_at` in the shop's time zone.
CREATE TABLE returns_v1 (
    return_id uuid PRIMARY KEY,
    number text COLLATE "C" UNIQUE,
    order_id uuid,
    customer_id uuid,
    customer_number text COLLATE "C",
    country text NOT NULL,
    currency text NOT NULL,
    restocked boolean NOT NULL,
    refunded boolean NOT NULL,
    received_at timestamptz NOT NULL,
    return_day date NOT NULL,
    returned_minor bigint NOT NULL,
    units bigint NOT NULL,
    line_count bigint NOT NULL,
    revision bigint NOT NULL,
    updated_position bigint NOT NULL
) WITH (fillfactor = 80);

CREATE INDEX returns_v1_by_received_at ON returns_v1 (received_at, return_id);
CREATE INDEX returns_v1_by_order ON returns_v1 (order_id, received_at, return_id);

-- Lines as those of orders.
CREATE TABLE return_lines_v1 (
    return_id uuid PRIMARY KEY,
    lines jsonb NOT NULL,
    updated_position bigint NOT NULL
);

-- Sums over the rows above. Amounts are minor units of the shop's one currency; a cancelled order counts nowhere.
CREATE TABLE sales_by_day_v1 (
    day date PRIMARY KEY,
    orders bigint NOT NULL,
    guest_orders bigint NOT NULL,
    units bigint NOT NULL,
    gross bigint NOT NULL,
    returns bigint NOT NULL,
    returned bigint NOT NULL,
    updated_position bigint NOT NULL
);

CREATE TABLE sales_by_country_v1 (
    day date NOT NULL,
    country text COLLATE "C" NOT NULL,
    orders bigint NOT NULL,
    gross bigint NOT NULL,
    updated_position bigint NOT NULL,
    PRIMARY KEY (day, country)
);

CREATE TABLE sales_by_product_v1 (
    day date NOT NULL,
    product_id uuid NOT NULL,
    sku text COLLATE "C" NOT NULL,
    units bigint NOT NULL,
    revenue bigint NOT NULL,
    updated_position bigint NOT NULL,
    PRIMARY KEY (day, product_id, sku)
);

CREATE TABLE sales_by_customer_v1 (
    day date NOT NULL,
    customer_number text COLLATE "C" NOT NULL,
    orders bigint NOT NULL,
    gross bigint NOT NULL,
    updated_position bigint NOT NULL,
    PRIMARY KEY (day, customer_number)
);
