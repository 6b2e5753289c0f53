//! Statements over all tables that tenants share, whatever they are called.

use super::Texts;

/// How many bytes a tenant's rows take, and its last position. Reads all of them.
pub(crate) fn size(texts: &Texts, tables: &[String]) -> String {
    let each = tables.iter().map(|table| {
        format!("SELECT coalesce(sum(pg_column_size(it.*)), 0)::bigint AS bytes FROM {} AS it", name(texts, table))
    });
    let each: Vec<_> = each.collect();
    let position = texts.qualify("SELECT coalesce(max(global_seq), 0) FROM public.events");
    format!("SELECT ({position}), sum(bytes)::bigint FROM ({}) AS each", each.join(" UNION ALL "))
}

/// Whether a tenant holds events, messages or documents.
pub(crate) fn holds_anything(texts: &Texts, tables: &[String]) -> String {
    let telling = |table: &str| matches!(table, "events" | "outbox_messages" | "docs") || table.starts_with("docs_");
    let each: Vec<_> = tables
        .iter()
        .filter(|table| telling(table))
        .map(|table| format!("EXISTS (SELECT FROM {})", name(texts, table)))
        .collect();
    format!("SELECT {}", each.join(" OR "))
}

/// Waits for everybody who writes to a table at this moment.
pub(crate) fn wait_for_writers(texts: &Texts, table: &str) -> String {
    format!("LOCK TABLE {} IN SHARE ROW EXCLUSIVE MODE", name(texts, table))
}

/// Deletes all rows of a tenant. Events first: their removal is noted in another of the tables.
pub(crate) fn remove_rows(texts: &Texts, tables: &[String]) -> String {
    let (events, others): (Vec<_>, Vec<_>) = tables.iter().partition(|table| *table == "events");
    let each = events.into_iter().chain(others).map(|table| format!("DELETE FROM {}", name(texts, table)));
    format!("SET CONSTRAINTS ALL DEFERRED; {}", each.collect::<Vec<_>>().join("; "))
}

/// A table that was found in the catalog. Its name needs no trust.
fn name(texts: &Texts, table: &str) -> String {
    format!("{}.\"{}\"", texts.schema().quoted(), table.replace('"', "\"\""))
}
