//! Names of projections, views, tables and columns.

use contract::history;

/// A set of views that share a checkpoint and switch versions together.
#[derive(Debug, PartialEq, Eq)]
pub struct Projection {
    /// Its name in the status rows.
    pub name: &'static str,
    /// The folds whose tables this binary can read, ascending. The last is the one it brings about.
    pub folds: &'static [i32],
    /// Its views.
    pub views: &'static [View],
    /// Columns that older folds lack: there they are read as null.
    pub later: &'static [Later],
}

/// A column that came with a fold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Later {
    /// The first fold that has it.
    pub fold: i32,
    /// The view.
    pub view: &'static str,
    /// The column, which may be null.
    pub column: &'static str,
    /// Its type in SQL.
    pub sql_type: &'static str,
}

impl Projection {
    /// What a statement reads a view from, of a version that this fold made, there by the view's name; as it is, or as of the
    /// position that the transaction says. None when of this view nothing is kept.
    #[must_use]
    pub fn source(&self, view: &View, (version, fold): (i32, i32), is_past: bool) -> Option<String> {
        let is_lacking = |later: &&Later| later.view == view.name && later.fold > fold;
        let lacking: Vec<&Later> = self.later.iter().filter(is_lacking).collect();
        let has = |column: &&str| !lacking.iter().any(|later| later.column == *column);
        let known = |columns: &[&'static str]| columns.iter().copied().filter(has).collect::<Vec<_>>();
        let (name, data) = (view.name, known(view.data));
        let table = match (is_past, view.past) {
            (false, _) => view.table(version),
            (true, Past::Nothing) => return None,
            (true, Past::Rows) => history::rows_as_of(name, version, &[view.key, &data].concat()),
            (true, Past::Sums) => history::sums_as_of(name, version, view.key, &data),
        };
        if lacking.is_empty() {
            return Some(format!("{table} AS {name}"));
        }
        let null = |later: &&Later| format!("NULL::{} AS {}", later.sql_type, later.column);
        let nulls: Vec<String> = lacking.iter().map(null).collect();
        Some(format!("(SELECT {name}.*, {} FROM {table} AS {name}) AS {name}", nulls.join(", ")))
    }
}

/// A view's table, in the shape that the newest fold gives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct View {
    /// The name without version.
    pub name: &'static str,
    /// The columns of the primary key.
    pub key: &'static [&'static str],
    /// The other columns, without [`View::POSITION`].
    pub data: &'static [&'static str],
    /// What is kept of its past.
    pub past: Past,
}

/// What is kept of a view's past (`contract::history`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Past {
    /// Nothing.
    Nothing,
    /// What its rows were.
    Rows,
    /// What was added to its sums.
    Sums,
}

impl View {
    /// The column that every table has besides: the position of the event that changed the row last.
    pub const POSITION: &'static str = "updated_position";

    /// The table of one version.
    #[must_use]
    pub fn table(&self, version: i32) -> String {
        format!("{}_v{version}", self.name)
    }

    /// Key, data and position, in the order in which row types read them.
    pub fn columns(&self) -> impl Iterator<Item = &'static str> {
        self.key.iter().chain(self.data).copied().chain([Self::POSITION])
    }

    /// The same for a SELECT, separated by commas.
    #[must_use]
    pub fn column_list(&self) -> String {
        self.columns().collect::<Vec<_>>().join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SALES: View = View { name: "sales", key: &["day"], data: &["orders", "gross"], past: Past::Sums };
    const THINGS: View = View { name: "things", key: &["id"], data: &["name", "colour"], past: Past::Rows };
    const TEXTS: View = View { name: "texts", key: &["id"], data: &["text"], past: Past::Nothing };
    const OF_ALL: Projection = Projection {
        name: "all",
        folds: &[1, 2],
        views: &[SALES, THINGS, TEXTS],
        later: &[Later { fold: 2, view: "things", column: "colour", sql_type: "text" }],
    };

    #[test]
    fn a_column_that_a_fold_lacks_is_null_now_and_as_of_a_position() {
        assert_eq!(OF_ALL.source(&THINGS, (7, 2), false).unwrap(), "things_v7 AS things");
        assert_eq!(
            OF_ALL.source(&THINGS, (3, 1), false).unwrap(),
            "(SELECT things.*, NULL::text AS colour FROM things_v3 AS things) AS things"
        );
        let past = OF_ALL.source(&THINGS, (3, 1), true).unwrap();
        assert_eq!(
            past,
            format!(
                "(SELECT things.*, NULL::text AS colour FROM {} AS things) AS things",
                history::rows_as_of("things", 3, &["id", "name"])
            )
        );
        assert!(OF_ALL.source(&SALES, (3, 1), true).unwrap().ends_with(" AS sales"));
        assert_eq!(OF_ALL.source(&TEXTS, (3, 1), true), None);
    }
}
