//! Names of projections, views, tables and columns.

/// A set of views that share a checkpoint and switch versions together.
#[derive(Debug, PartialEq, Eq)]
pub struct Projection {
    /// Its name in the status rows.
    pub name: &'static str,
    /// The folds whose tables this binary can read, ascending. The last is the one it brings about.
    pub folds: &'static [i32],
    /// Its views.
    pub views: &'static [View],
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
