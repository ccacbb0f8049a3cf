//! One file a view, and what several share.

pub(crate) mod customers;
mod lines;
pub(crate) mod order_lines;
pub(crate) mod orders;
pub(crate) mod payments;
pub(crate) mod product_texts;
pub(crate) mod products;
pub(crate) mod return_lines;
pub(crate) mod returns;
pub(crate) mod sales_by_country;
pub(crate) mod sales_by_customer;
pub(crate) mod sales_by_day;
pub(crate) mod sales_by_product;
pub(crate) mod shipments;

use engine::FoldError;

/// The row before an event that only a row can have.
fn existing<R>(row: Option<R>) -> Result<R, FoldError> {
    row.ok_or_else(|| FoldError::new("the event before it is missing: there is no row"))
}

/// No row before an event that begins one.
fn absent<R>(row: Option<&R>) -> Result<(), FoldError> {
    match row {
        None => Ok(()),
        Some(_) => Err(FoldError::new("there is a row already")),
    }
}

/// A stream's revision as its column holds it.
fn revision<E>(event: &engine::Recorded<E>) -> i64 {
    event.revision.0.cast_signed()
}

#[cfg(test)]
pub(crate) mod testing {
    use domain::ShopEvent;
    use engine::{EntityView, Recorded};
    use event_store::{EventId, Metadata, Revision, StreamId};
    use jiff::Timestamp;
    use uuid::Uuid;

    /// An event as it comes from the log, at a position and revision and so many microseconds after 1970.
    pub(crate) fn recorded(event: impl Into<ShopEvent>, position: u64, revision: u64) -> Recorded<ShopEvent> {
        let event = event.into();
        let at = Timestamp::from_microsecond(i64::try_from(position).unwrap()).unwrap();
        Recorded {
            event_type: event.event_type().name.to_owned(),
            event,
            stream: StreamId::named("test"),
            id: EventId(Uuid::nil()),
            revision: Revision(revision),
            position: contract::LogPosition(position),
            recorded_at: at,
            occurred_at: at,
            metadata: Metadata::of_command(Uuid::nil(), 1, at),
        }
    }

    /// The names of a view's columns are those that the read model has for it.
    pub(crate) fn assert_table_is(view: &impl EntityView, of: &read_model::View) {
        let table = view.table();
        let names = |columns: &[engine::Column]| columns.iter().map(|column| column.name).collect::<Vec<_>>();
        assert_eq!(
            (table.name, names(table.key), names(table.data)),
            (of.name, of.key.to_vec(), of.data.to_vec())
        );
        assert_eq!(table.history, of.past != read_model::Past::Nothing, "of {}", of.name);
    }
}
