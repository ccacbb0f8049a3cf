-- Projection `catalogue`, version 1.

-- Products with their stock. A movement of stock changes no indexed column, so with room on the page it stays there.
-- Text that pages are ordered by compares by code point, whatever the database's locale.
CREATE TABLE products_v1 (
    product_id uuid PRIMARY KEY,
    sku text COLLATE "C" NOT NULL UNIQUE,
    name text COLLATE "C",
    description text,
    price_minor bigint NOT NULL,
    currency text NOT NULL,
    status text NOT NULL CHECK (status IN ('LISTED', 'DELISTED')),
    on_hand bigint NOT NULL,
    reserved bigint NOT NULL,
    listed_at timestamptz NOT NULL,
    revision bigint NOT NULL,
    -- Null until the first movement of stock.
    stock_revision bigint,
    updated_position bigint NOT NULL
) WITH (fillfactor = 80);

-- One for each order a page can be asked in, besides the one of the SKU.
CREATE INDEX products_v1_by_name ON products_v1 (coalesce(name, ''), product_id);
CREATE INDEX products_v1_by_price ON products_v1 (price_minor, product_id);
CREATE INDEX products_v1_by_listed_at ON products_v1 (listed_at, product_id);

-- What is searched for, and nothing else, so that it changes only with the text. Deletions stay as rows.
CREATE TABLE product_texts_v1 (
    product_id uuid PRIMARY KEY,
    sku text NOT NULL,
    name text,
    description text,
    deleted boolean NOT NULL,
    updated_position bigint NOT NULL
);

-- The indexer reads what changed since its own position.
CREATE INDEX product_texts_v1_by_position ON product_texts_v1 (updated_position);
