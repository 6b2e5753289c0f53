//! `rillflow tenants`.

use clap::Subcommand;
use serde_json::{Value, json};

use super::connect::Session;
use super::failure::Failure;
use super::out::count;
use super::{Done, Ran, docs};
use crate::{Error, SchemaConfig, TenantMigrated, TenantStatus, TenantedStore};

/// What to do with tenants, of which each has a schema of its own, or rows in tables that they share: the schema tells.
/// `--tenant NAME` makes every other command work on one of them.
#[derive(Debug, Subcommand)]
pub(super) enum Tenants {
    /// The names of all tenants.
    List,
    /// Make a tenant, or bring its schema up to date.
    Ensure {
        /// The tenant's name.
        name: String,
        /// Have tenants share tables, each row being one's. Matters for the first tenant only.
        #[arg(long)]
        shared_tables: bool,
    },
    /// How tenants are: schema, steps it is from what this program wants, position, size.
    Status {
        /// This tenant only.
        name: Option<String>,
    },
    /// Drop a tenant that holds nothing. Asks first.
    Drop {
        /// The tenant's name.
        name: String,
        /// With everything that it holds, and without asking.
        #[arg(long)]
        force: bool,
    },
    /// Bring the schemas of all tenants up to date.
    Migrate {
        /// Also take steps that destroy data, such as dropping a column that nothing declares any more.
        #[arg(long)]
        allow_destructive: bool,
    },
}

impl Tenants {
    pub(super) async fn run(self, session: &mut Session) -> Ran {
        let store = match &self {
            Self::Ensure { shared_tables: true, .. } => session.tenants_sharing_tables().await?,
            _ => session.tenants().await?,
        };
        match self {
            Self::List => {
                let names = store.list_tenants().await?;
                session.out.show(&names, |out| match names.is_empty() {
                    true => out.line("No tenants."),
                    false => names.iter().try_for_each(|name| out.line(name)),
                })?;
            }
            Self::Ensure { name, .. } => {
                store.ensure_tenant(&name).await?;
                match store.schema() {
                    // what it holds is not for every role that may make it
                    Some(_shared) => session.out.show(&json!({ "name": name }), |out| out.line(&name))?,
                    None => status(session, &store, vec![name]).await?,
                }
            }
            Self::Status { name: Some(name) } => status(session, &store, vec![name]).await?,
            Self::Status { name: None } => status(session, &store, store.list_tenants().await?).await?,
            Self::Drop { name, force } => drop_one(session, &store, &name, force).await?,
            Self::Migrate { allow_destructive } => migrate(session, &store, allow_destructive).await?,
        }
        Ok(Done::Well)
    }
}

async fn status(session: &mut Session, store: &TenantedStore, names: Vec<String>) -> Result<(), Failure> {
    let mut all = Vec::with_capacity(names.len());
    for name in names {
        all.push(store.tenant_status(&name).await?);
    }
    session.out.show(&all.iter().map(shown).collect::<Vec<_>>(), |out| {
        let rows = all.iter().map(|it| {
            let (differences, position) = (it.differences.to_string(), it.position.to_string());
            [it.name.clone(), it.schema.clone(), differences, position, (it.bytes / 1024).to_string()]
        });
        out.table(["tenant", "schema", "steps to sync", "position", "KiB"], rows, "No tenants.")
    })
}

fn shown(it: &TenantStatus) -> Value {
    json!({
        "name": it.name, "schema": it.schema, "differences": it.differences, "position": it.position,
        "bytes": it.bytes,
    })
}

async fn drop_one(session: &mut Session, store: &TenantedStore, name: &str, force: bool) -> Result<(), Failure> {
    if !force {
        // who knows no types counts the documents of every collection nevertheless
        if docs::holds_any(store.tenant(name).await?.store()).await? {
            return Err(Error::TenantNotEmpty { tenant: name.to_owned() }.into());
        }
        session.confirm(&format!("Drop tenant {name}?"))?;
    }
    store.drop_tenant(name, force).await?;
    session.out.show(&json!({ "dropped": name }), |out| out.line(&format!("dropped {name}")))
}

async fn migrate(session: &mut Session, store: &TenantedStore, destructive: bool) -> Result<(), Failure> {
    let bar = session.out.working("bringing tenants up to date");
    let told = |it: &TenantMigrated| bar.set_message(format!("tenant {} of {}: {}", it.done, it.total, it.name));
    let all = store.migrate_all(&SchemaConfig::single_tenant().allow_destructive(destructive), told).await;
    bar.finish_and_clear();
    let all: Vec<_> = all?.into_iter().map(|it| (it.name, it.result.map_err(|error| error.to_string()))).collect();
    let as_json = all.iter().map(|(name, result)| match result {
        Ok(changes) => json!({ "name": name, "steps": changes.steps }),
        Err(error) => json!({ "name": name, "error": error }),
    });
    session.out.show(&as_json.collect::<Vec<_>>(), |out| {
        all.iter().try_for_each(|(name, result)| match result {
            Ok(changes) => out.line(&format!("{name}: {}", count(changes.steps.len() as u64, "step"))),
            Err(error) => out.line(&format!("{name}: {error}")),
        })
    })?;
    match all.iter().filter(|(_, result)| result.is_err()).count() {
        0 => Ok(()),
        failed => Err(Failure::failed(
            format!("{failed} of {} failed", count(all.len() as u64, "tenant")),
            "`rillflow schema sync --tenant NAME` brings up one; `migrate` may run again",
        )),
    }
}
