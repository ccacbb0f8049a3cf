//! `headwater sagas`: the orders and returns that stand still until somebody helps.

use crate::config::Config;
use crate::database::Database;
use crate::failure::Failure;
use crate::print;
use crate::roles::sagas::{StuckSaga, stuck};
use crate::table::table;

/// One command needs one connection.
const CONNECTIONS: usize = 1;

/// Prints a row for each.
pub async fn run(config: &Config, json: bool) -> Result<(), Failure> {
    let database = Database::open(config).await?;
    let found = read(database.url()).await;
    database.close().await?;
    let found = found?;
    if json {
        let text = serde_json::to_string_pretty(&found).map_err(|error| Failure::of(&error))?;
        return print(&(text + "\n"));
    }
    print(&as_table(&found))
}

async fn read(url: &str) -> Result<Vec<StuckSaga>, Failure> {
    let pool = read_model::reader_pool(url, CONNECTIONS).map_err(|error| Failure::of(&error))?;
    stuck(&pool).await.map_err(|error| Failure::of(&error))
}

fn as_table(found: &[StuckSaga]) -> String {
    if found.is_empty() {
        return "no saga stands still\n".to_owned();
    }
    let row = |saga: &StuckSaga| {
        let position = saga.position.to_string();
        [saga.saga.to_owned(), saga.id.clone(), saga.step.clone(), position, saga.reason.clone()]
    };
    let rows: Vec<_> = found.iter().map(row).collect();
    table(["SAGA", "ID", "STEP", " POSITION", "REASON"], &rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_still_is_shown_with_its_reason() {
        let saga = StuckSaga {
            saga: "fulfilment",
            id: "5c8e34a7-9d70-5cf5-9c3c-3b6ac8f8a1b2".to_owned(),
            step: "DELIVERING".to_owned(),
            reason: "SHIP_STOCK was refused".to_owned(),
            position: 17,
        };
        let text = as_table(&[saga]);
        assert!(text.contains("5c8e34a7") && text.ends_with("17  SHIP_STOCK was refused\n"), "{text}");
        assert_eq!(as_table(&[]), "no saga stands still\n");
    }
}
