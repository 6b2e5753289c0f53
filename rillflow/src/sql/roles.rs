//! Who may do what: a script for the four roles of a store.

use super::wanted::{TENANTS, table_of, tables_of};
use super::{MIGRATIONS, Texts};
use crate::model::Collection;

/// What an append or a session writes, documents aside.
const WRITTEN: &[&str] = &[
    "streams",
    "events",
    "event_marks",
    "idempotency_keys",
    "stream_aliases",
    "snapshots",
    "removed_events",
    "outbox_messages",
    "docs",
    TENANTS,
];

/// What those who run projections and relay messages change beside documents and their own tables.
const TENDED: &[&str] = &["event_marks", "snapshots", "outbox_messages", "docs"];

/// What only those who change the schema write.
const BOOKS: &[&str] = &["rillflow_migrations", "rillflow_syncs", "event_epochs"];

/// The script, which may run again: after a sync that made tables, it has to. `roles` are owner, writer, reader, daemon.
pub(crate) fn script(texts: &Texts, roles: &[String; 4], collections: &[&'static Collection]) -> String {
    let quoted = roles.each_ref().map(|role| format!("\"{}\"", role.replace('"', "\"\"")));
    let [owner, writer, reader, daemon] = &quoted;
    let schema = texts.schema();
    let shared = texts.has_tenant_column().then_some(TENANTS);
    let made: Vec<_> = MIGRATIONS.iter().flat_map(|(.., text)| tables_of(text)).chain(shared).collect();
    let documents: Vec<_> = collections.iter().map(|it| table_of(it)).collect();
    let tables = |names: &mut dyn Iterator<Item = &&'static str>| {
        names.map(|name| format!("{}.\"{name}\"", schema.quoted())).collect::<Vec<_>>().join(", ")
    };
    let all = tables(&mut made.iter().chain(&documents));
    let written = tables(&mut WRITTEN.iter().filter(|it| made.contains(it)).chain(&documents));
    let own = made.iter().filter(|it| !WRITTEN.contains(it) && !BOOKS.contains(it));
    let tended = tables(&mut own.chain(TENDED.iter().filter(|it| made.contains(it))).chain(&documents));
    let (schema_name, public) = (schema.quoted(), "PUBLIC");
    let create: String = roles.iter().map(|role| create_role(role)).collect();
    let owned = owned(schema, &roles[0], &made, &documents);
    format!(
        "{create}\n\
         -- Nobody else makes anything here.\n\
         REVOKE CREATE ON SCHEMA {schema_name} FROM {public};\n\
         GRANT USAGE ON SCHEMA {schema_name} TO {owner}, {writer}, {reader}, {daemon};\n\n\
         -- The owner changes the schema, and compares it in a schema of its own that is never seen.\n\
         GRANT CREATE ON SCHEMA {schema_name} TO {owner};\n{owned}\n\
         -- All of them read.\n\
         GRANT SELECT ON {all} TO {writer}, {reader}, {daemon};\n\
         GRANT SELECT ON ALL SEQUENCES IN SCHEMA {schema_name} TO {writer}, {reader}, {daemon};\n\n\
         -- The writer appends, and writes documents. Events are deleted with their whole stream only: a trigger looks.\n\
         GRANT INSERT, UPDATE, DELETE ON {written} TO {writer};\n\
         GRANT USAGE ON ALL SEQUENCES IN SCHEMA {schema_name} TO {writer};\n\
         REVOKE EXECUTE ON FUNCTION {schema_name}.rillflow_delete_stream(uuid) FROM {public};\n\
         GRANT EXECUTE ON FUNCTION {schema_name}.rillflow_delete_stream(uuid) TO {writer}, {owner};\n\n\
         -- The daemon keeps read models and checkpoints. It appends nothing.\n\
         GRANT INSERT, UPDATE, DELETE ON {tended} TO {daemon};\n"
    )
}

fn create_role(role: &str) -> String {
    let literal = role.replace('\'', "''");
    format!(
        "DO $$ BEGIN\n    IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = '{literal}') THEN\n        \
         CREATE ROLE \"{}\" NOLOGIN;\n    END IF;\nEND $$;\n",
        role.replace('"', "\"\"")
    )
}

/// Gives the owner what is there. The sequence goes with its table.
fn owned(schema: &super::SchemaName, owner: &str, made: &[&str], documents: &[&str]) -> String {
    let names: Vec<_> = made.iter().chain(documents).map(|name| format!("'{name}'")).collect();
    let literal = owner.replace('\'', "''");
    format!(
        "DO $$ DECLARE it record; BEGIN\n    \
         EXECUTE format('GRANT CREATE ON DATABASE %I TO %I', current_database(), '{literal}');\n    \
         FOR it IN SELECT class.oid::regclass AS name FROM pg_catalog.pg_class class\n        \
         WHERE class.relnamespace = '{schema}'::regnamespace AND class.relkind IN ('r', 'p')\n          \
         AND class.relname IN ({names})\n    \
         LOOP\n        EXECUTE format('ALTER TABLE %s OWNER TO %I', it.name, '{literal}');\n    END LOOP;\n    \
         FOR it IN SELECT proc.oid::regprocedure AS name FROM pg_catalog.pg_proc proc\n        \
         WHERE proc.pronamespace = '{schema}'::regnamespace AND proc.proname LIKE 'rillflow\\_%'\n    \
         LOOP\n        EXECUTE format('ALTER FUNCTION %s OWNER TO %I', it.name, '{literal}');\n    END LOOP;\n\
         END $$;\n",
        schema = schema.quoted(),
        names = names.join(", "),
    )
}
