//! Which rows of one event Postgres refuses, when it refuses the event.

use std::sync::Arc;

use deadpool_postgres::ClientWrapper;
use tokio_postgres::Error;

use crate::event::Recorded;
use crate::fold::Change;
use crate::parked::{Place, Turn};
use crate::projection::Projection;
use crate::write::refused::is_of_the_data;
use crate::write::rows::{self, Rows};
use crate::write::sql::TableSql;

/// Tries every row alone, changing nothing: first whether Postgres takes the key, then whether it takes the row. When
/// it takes each of them, all are refused.
pub(super) async fn rows<E: Send + Sync + 'static>(
    client: &mut ClientWrapper,
    projection: &Projection<E>,
    tables: &[TableSql],
    event: &Arc<Recorded<E>>,
    turn: Turn<'_>,
    changes: &[Vec<Change>],
) -> Result<Vec<Place>, Error> {
    let mut named = Vec::new();
    for (view, entity) in projection.entities.iter().enumerate() {
        let fold = entity.begin(view, std::slice::from_ref(event), turn, false);
        named.extend(fold.keys().into_iter().map(|(_, key)| Place::Row { view, key: key.to_vec() }));
    }
    let mut refused = Vec::new();
    for place in &named {
        let Place::Row { view, key } = place else { continue };
        let loading = Rows { client, tables }.load(*view, &[key]).await.map(drop);
        if is_refused(loading)? {
            refused.push(place.clone());
        }
    }
    for (view, changes) in changes.iter().take(projection.entities.len()).enumerate() {
        for change in changes {
            let transaction = client.transaction().await?;
            let writing = rows::write(&transaction, &tables[view], std::slice::from_ref(change)).await;
            transaction.rollback().await?;
            if is_refused(writing)? {
                refused.push(Place::Row { view, key: change.key.clone() });
            }
        }
    }
    Ok(if refused.is_empty() { named } else { refused })
}

fn is_refused(tried: Result<(), Error>) -> Result<bool, Error> {
    match tried {
        Ok(()) => Ok(false),
        Err(error) if is_of_the_data(&error) => Ok(true),
        Err(error) => Err(error),
    }
}
