//! The count of a view's rows and one checksum per column, kept up with each change, so that two versions of a view
//! compare without reading their rows.

use std::collections::BTreeMap;

use xxhash_rust::xxh3::xxh3_128;

use crate::table::Table;
use crate::value::Value;

/// Count and checksums of one view. A column's checksum is the sum, wrapping at 2^128, over all rows of XXH3-128 of
/// (key, name of the column, canonical value); so it depends on the rows alone and not on the order of changes. The
/// engine's own columns are not in it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Checksums {
    /// How many rows.
    pub rows: i64,
    /// By data column. A column that is not named here has the sum 0.
    pub columns: BTreeMap<String, u128>,
}

impl Checksums {
    /// Takes a row's data out of the sums and puts another in; none is no row.
    pub(crate) fn replace(
        &mut self,
        table: &Table,
        key: &[Value],
        before: Option<&[Value]>,
        after: Option<&[Value]>,
    ) {
        self.rows += i64::from(after.is_some()) - i64::from(before.is_some());
        let mut bytes = Vec::with_capacity(128);
        for value in key {
            value.canonical(&mut bytes);
        }
        let key_length = bytes.len();
        for (index, column) in table.data.iter().enumerate() {
            let (old, new) = (before.map(|row| &row[index]), after.map(|row| &row[index]));
            if old == new {
                continue;
            }
            let mut hash = |value: Option<&Value>| {
                let Some(value) = value else { return 0 };
                bytes.truncate(key_length);
                Value::Text(column.name.to_owned()).canonical(&mut bytes);
                value.canonical(&mut bytes);
                xxh3_128(&bytes)
            };
            let (old, new) = (hash(old), hash(new));
            let sum = self.columns.entry(column.name.to_owned()).or_default();
            *sum = sum.wrapping_sub(old).wrapping_add(new);
        }
    }

    /// Adds the sums over other rows of the same view.
    pub(crate) fn add(&mut self, other: &Checksums) {
        self.rows += other.rows;
        for (column, sum) in &other.columns {
            let own = self.columns.entry(column.clone()).or_default();
            *own = own.wrapping_add(*sum);
        }
    }

    /// The sum of a column, 0 for one that no row had.
    pub(crate) fn column(&self, name: &str) -> u128 {
        self.columns.get(name).copied().unwrap_or_default()
    }

    /// Whether count and every column of the table are the same.
    pub(crate) fn is_same(&self, other: &Checksums, table: &Table) -> bool {
        let same = |column: &str| self.column(column) == other.column(column);
        self.rows == other.rows && table.data.iter().all(|column| same(column.name))
    }

    /// The columns as they stand in the row of the view: 32 hex digits each.
    pub(crate) fn to_json(&self) -> serde_json::Value {
        let columns = self.columns.iter();
        columns.map(|(name, sum)| (name.clone(), serde_json::Value::String(format!("{sum:032x}")))).collect()
    }

    /// Reads them back; what is not ours reads as 0 and so differs from every table.
    pub(crate) fn from_json(rows: i64, columns: &serde_json::Value) -> Self {
        let columns = columns.as_object().into_iter().flatten();
        let sum = |text: &serde_json::Value| {
            u128::from_str_radix(text.as_str().unwrap_or_default(), 16).unwrap_or(0)
        };
        Self { rows, columns: columns.map(|(name, text)| (name.clone(), sum(text))).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::Column;
    use crate::value::SqlType;

    const TABLE: Table = Table {
        name: "things",
        key: &[Column::new("id", SqlType::BigInt)],
        data: &[Column::new("a", SqlType::BigInt), Column::new("b", SqlType::Text).nullable()],
        person: None,
        history: false,
    };

    fn row(a: i64, b: Option<&str>) -> Vec<Value> {
        vec![a.into(), b.into()]
    }

    #[test]
    fn the_sums_depend_on_the_rows_alone() {
        let (one, two) = ([Value::from(1_i64)], [Value::from(2_i64)]);
        let mut by_steps = Checksums::default();
        by_steps.replace(&TABLE, &one, None, Some(&row(1, None)));
        by_steps.replace(&TABLE, &two, None, Some(&row(5, Some("x"))));
        by_steps.replace(&TABLE, &one, Some(&row(1, None)), Some(&row(2, Some("y"))));
        let mut at_once = Checksums::default();
        at_once.replace(&TABLE, &two, None, Some(&row(5, Some("x"))));
        at_once.replace(&TABLE, &one, None, Some(&row(2, Some("y"))));
        assert_eq!(by_steps, at_once);
        assert_eq!(at_once.rows, 2);
        assert_eq!(Checksums::from_json(at_once.rows, &at_once.to_json()), at_once);

        let mut swapped = Checksums::default();
        swapped.replace(&TABLE, &one, None, Some(&row(5, Some("x"))));
        swapped.replace(&TABLE, &two, None, Some(&row(2, Some("y"))));
        assert_ne!(swapped, at_once, "the key is part of each hash");

        at_once.replace(&TABLE, &one, Some(&row(2, Some("y"))), None);
        at_once.replace(&TABLE, &two, Some(&row(5, Some("x"))), None);
        assert_eq!(at_once.rows, 0);
        assert!(at_once.columns.values().all(|sum| *sum == 0));
    }
}
