//! What `headwater import` can be asked.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// What to bring in.
#[derive(Debug, Subcommand)]
pub enum ImportSource {
    /// Import the invoice lines of a shop from a CSV file, plain or gzip
    ///
    /// Customers, products, opening stock, orders, returns and stock adjustments go through the REST API like those
    /// of any client. Importing a file again adds nothing, so a second run finishes what a first one left. Opening
    /// stock goes by the file's content: a file that was changed, be it to mend a row, brings its own once more. The
    /// header must be invoice_no,stock_code,description,quantity,invoice_date,unit_price,customer_id,country.
    Retail(RetailFlags),
}

/// For `import retail`.
#[derive(Debug, Clone, Args)]
pub struct RetailFlags {
    /// The file; all of it is read before anything is sent
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// The address of the REST API
    #[arg(
        long,
        value_name = "URL",
        env = "HEADWATER_URL",
        hide_env_values = true,
        default_value = "http://127.0.0.1:8080"
    )]
    pub url: String,
    /// Stop at the first malformed row, before anything is sent, instead of skipping its document
    #[arg(long)]
    pub strict: bool,
    /// How many requests may be on their way at once, 1 to 256
    #[arg(long, value_name = "NUMBER", default_value_t = 32,
        value_parser = clap::value_parser!(u16).range(1..=256))]
    pub concurrency: u16,
    /// Print the summary as JSON
    #[arg(long)]
    pub json: bool,
}
