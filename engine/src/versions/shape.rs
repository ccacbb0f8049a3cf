//! The tables of a version. What they look like stands in a migration, as `<view>_f<fold>`: the newest one that is not
//! newer than the fold, else the table of the version in use (`like`), whose columns then have not changed. Before there
//! is any version, the table that the migration of an earlier fold made is taken.

use tokio_postgres::GenericClient;

use crate::error::EngineError;
use crate::table::Table;
use crate::write::sql::exists;

/// Makes the table of a version, with its primary key and its checks but without the other indexes, in which a load
/// would lose its time.
pub(crate) async fn create(
    client: &impl GenericClient,
    table: &'static Table,
    fold: i32,
    like: Option<i32>,
    version: i32,
) -> Result<(), EngineError> {
    let model = model(client, table, fold, like).await?;
    let name = table.versioned(version);
    let key: Vec<&str> = table.key.iter().map(|column| column.name).collect();
    let options = "SELECT array_to_string(reloptions, ', ') FROM pg_class WHERE oid = to_regclass($1)";
    let options: Option<String> = client.query_one(options, &[&model]).await?.try_get(0)?;
    let options = options.map_or_else(String::new, |options| format!(" WITH ({options})"));
    let sql = format!(
        "DROP TABLE IF EXISTS {name}; CREATE TABLE {name} (LIKE {model} INCLUDING ALL EXCLUDING INDEXES){options}; \
         ALTER TABLE {name} ADD PRIMARY KEY ({});",
        key.join(", ")
    );
    Ok(client.batch_execute(&sql).await?)
}

/// Adds what [`create`] left out.
pub(crate) async fn finish(
    client: &impl GenericClient,
    table: &'static Table,
    fold: i32,
    like: Option<i32>,
    version: i32,
) -> Result<(), EngineError> {
    let model = model(client, table, fold, like).await?;
    let name = table.versioned(version);
    let constraints = "SELECT pg_get_constraintdef(oid) FROM pg_constraint
        WHERE conrelid = to_regclass($1) AND contype IN ('u', 'x') ORDER BY conname";
    for row in client.query(constraints, &[&model]).await? {
        let definition: String = row.try_get(0)?;
        client.batch_execute(&format!("ALTER TABLE {name} ADD {definition}")).await?;
    }
    // "CREATE [UNIQUE] INDEX name ON schema.table USING …": all but the two names is taken over.
    let indexes = "SELECT i.indisunique, substring(pg_get_indexdef(i.indexrelid) FROM ' USING .*$') FROM pg_index i
        WHERE i.indrelid = to_regclass($1)
            AND NOT EXISTS (SELECT FROM pg_constraint c WHERE c.conindid = i.indexrelid AND c.conrelid = i.indrelid)
        ORDER BY i.indexrelid";
    for row in client.query(indexes, &[&model]).await? {
        let (unique, using): (bool, String) = (row.try_get(0)?, row.try_get(1)?);
        let unique = if unique { "UNIQUE " } else { "" };
        client.batch_execute(&format!("CREATE {unique}INDEX ON {name}{using}")).await?;
    }
    Ok(client.batch_execute(&format!("ANALYZE {name}")).await?)
}

/// The table that the version's is made like.
async fn model(
    client: &impl GenericClient,
    table: &'static Table,
    fold: i32,
    like: Option<i32>,
) -> Result<String, EngineError> {
    for shape in (1..=fold).rev().map(|fold| format!("{}_f{fold}", table.name)) {
        if exists(client, &shape).await? {
            return Ok(shape);
        }
    }
    let versions: Vec<i32> = like.map_or_else(|| (1..fold).rev().collect(), |like| vec![like]);
    for earlier in versions.into_iter().map(|version| table.versioned(version)) {
        if exists(client, &earlier).await? {
            return Ok(earlier);
        }
    }
    Err(EngineError::NoShape { view: table.name, fold })
}
