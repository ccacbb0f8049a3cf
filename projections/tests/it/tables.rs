//! The tables that the read model makes are those that the views declare.

use private_postgres::test_database;

use crate::shop::settings;

#[tokio::test]
async fn every_view_has_a_table_with_its_columns_types_and_key() {
    let database = test_database().await;
    let pool = read_model::pool(database.url(), 1).unwrap();
    engine::migrate_with(&pool, read_model::migrations(), read_model::MIGRATION_HISTORY).await.unwrap();
    let client = pool.get().await.unwrap();
    let columns = "SELECT a.attname, format_type(a.atttypid, NULL), NOT a.attnotnull,
            a.attnum = ANY (coalesce((SELECT i.indkey::int2[] FROM pg_index i
                WHERE i.indrelid = a.attrelid AND i.indisprimary), '{}'))
        FROM pg_attribute a WHERE a.attrelid = $1::text::regclass AND a.attnum > 0 AND NOT a.attisdropped";
    // Of the last fold that changed its columns, else the first.
    let shape = "SELECT table_name::text FROM information_schema.tables
        WHERE table_schema = current_schema AND table_name ~ ('^' || $1 || '_(v1|f[0-9]+)$')
            AND substring(table_name FROM '[0-9]+$')::int <= $2
        ORDER BY substring(table_name FROM '[0-9]+$')::int DESC LIMIT 1";
    for projection in projections::all(&settings()) {
        for table in projection.tables() {
            let name: String =
                client.query_one(shape, &[&table.name, &projection.fold()]).await.unwrap().get(0);
            let mut found = Vec::new();
            for row in client.query(columns, &[&name]).await.unwrap() {
                let (column, sql_type, nullable, is_key): (String, String, bool, bool) =
                    (row.get(0), row.get(1), row.get(2), row.get(3));
                found.push((
                    column,
                    sql_type.replace("timestamp with time zone", "timestamptz"),
                    nullable,
                    is_key,
                ));
            }
            let declared = |columns: &[engine::Column], is_key: bool| {
                let line = |c: &engine::Column| {
                    (c.name.to_owned(), c.sql_type.name().to_owned(), c.nullable, is_key)
                };
                columns.iter().map(line).collect::<Vec<_>>()
            };
            let mut expected = declared(table.key, true);
            expected.extend(declared(table.data, false));
            expected.push(("updated_position".to_owned(), "bigint".to_owned(), false, false));
            assert_eq!(found, expected, "{name}");
        }
    }
}

#[test]
fn every_table_of_the_read_model_is_folded_into_and_no_other() {
    let sorted = |mut names: Vec<(&'static str, &'static str)>| {
        names.sort_unstable();
        // A projection stands once for each of its folds.
        names.dedup();
        names
    };
    let folded = projections::all(&settings());
    let folded = folded.iter().flat_map(|projection| {
        let tables: Vec<_> = projection.tables().map(|table| (projection.name(), table.name)).collect();
        tables
    });
    let expected = read_model::PROJECTIONS
        .iter()
        .flat_map(|projection| projection.views.iter().map(|view| (projection.name, view.name)));
    assert_eq!(sorted(folded.collect()), sorted(expected.collect()));
}
