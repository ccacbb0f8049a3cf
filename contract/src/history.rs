//! What rows were: how the engine keeps it beside a view's table, and the words by which it is read as of a position.
//!
//! Beside the table `<view>_v<version>` stands `<view>_h<version>`.
//! - Of an entity view it holds each state that a row has left, with the positions of the event that made it
//!   (`updated_position`) and of the one that ended it (`until_position`). The state in which a row is stands in the
//!   view's table alone; when its own `updated_position` is that of a retry, `since_position` is that of the event.
//! - Of a summary view it holds what each event added (`updated_position`, amounts). Sums as of a position are those of
//!   now less all that was added behind it.

/// The setting of a transaction in which its position is told to [`rows_as_of`] and [`sums_as_of`], so that a
/// statement has one text whatever the position.
pub const AS_OF_SETTING: &str = "headwater.as_of";

/// The position, as the statements read it.
const AT: &str = "current_setting('headwater.as_of')::bigint";

/// Which position belongs to a moment, of the projection `$1`, its version `$2` and the moment `$3`: that of the first event
/// that was recorded later, null when there is none yet, and that of the last event, null when there is none.
pub const POSITIONS_OF_MOMENT: &str = "
    SELECT (SELECT min(event.position) FROM
            (SELECT positions, recorded FROM projection_moments WHERE name = $1 AND version = $2 AND latest > $3
                ORDER BY latest, last_position LIMIT 1) AS first,
            unnest(first.positions, first.recorded) AS event (position, recorded)
            WHERE event.recorded > $3) AS later,
        (SELECT last_position FROM projection_moments WHERE name = $1 AND version = $2
            ORDER BY latest DESC, last_position DESC LIMIT 1) AS last";

/// The table in which a version keeps what the rows of a view were.
#[must_use]
pub fn table(view: &str, version: i32) -> String {
    format!("{view}_h{version}")
}

/// In place of the table of an entity view in a statement: its rows as they were. They have these columns and
/// `updated_position`.
#[must_use]
pub fn rows_as_of(view: &str, version: i32, columns: &[&str]) -> String {
    let (columns, past) = (columns.join(", "), table(view, version));
    format!(
        "(SELECT {columns}, coalesce(since_position, updated_position) AS updated_position FROM {view}_v{version} \
         WHERE coalesce(since_position, updated_position) <= {AT} \
         UNION ALL SELECT {columns}, updated_position FROM {past} \
         WHERE updated_position <= {AT} AND until_position > {AT})"
    )
}

/// In place of the table of a summary view in a statement: its rows as they were, without those that were all zero. They
/// have the key and the amounts.
#[must_use]
pub fn sums_as_of(view: &str, version: i32, key: &[&str], amounts: &[&str]) -> String {
    let (keys, past) = (key.join(", "), table(view, version));
    let each = |form: fn(&&str) -> String| amounts.iter().map(form).collect::<Vec<_>>();
    let (now, added) = (amounts.join(", "), each(|amount| format!("-{amount} AS {amount}")).join(", "));
    let sums = each(|amount| format!("sum({amount})::bigint AS {amount}")).join(", ");
    let any = each(|amount| format!("sum({amount}) <> 0")).join(" OR ");
    format!(
        "(SELECT {keys}, {sums} FROM (SELECT {keys}, {now} FROM {view}_v{version} \
         UNION ALL SELECT {keys}, {added} FROM {past} WHERE updated_position > {AT}) AS changes \
         GROUP BY {keys} HAVING {any})"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_for_the_rows_of_an_entity_view() {
        assert!(AT.contains(&format!("'{AS_OF_SETTING}'")));
        assert_eq!(
            rows_as_of("orders", 3, &["order_id", "status"]).replace(AT, "$"),
            "(SELECT order_id, status, coalesce(since_position, updated_position) AS updated_position FROM orders_v3 \
             WHERE coalesce(since_position, updated_position) <= $ \
             UNION ALL SELECT order_id, status, updated_position FROM orders_h3 \
             WHERE updated_position <= $ AND until_position > $)"
        );
    }

    #[test]
    fn the_words_for_sums() {
        assert_eq!(
            sums_as_of("sales", 2, &["day"], &["orders", "gross"]).replace(AT, "$"),
            "(SELECT day, sum(orders)::bigint AS orders, sum(gross)::bigint AS gross FROM \
             (SELECT day, orders, gross FROM sales_v2 \
             UNION ALL SELECT day, -orders AS orders, -gross AS gross FROM sales_h2 WHERE updated_position > $) AS changes \
             GROUP BY day HAVING sum(orders) <> 0 OR sum(gross) <> 0)"
        );
    }
}
