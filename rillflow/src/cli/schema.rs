//! `rillflow schema`.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde::Serialize;

use super::connect::Session;
use super::failure::Failure;
use super::out::{Out, count};
use super::{Done, Ran};
use crate::{SchemaConfig, SchemaPlan, SchemaStep};

/// What to do with the schema. A program with the command line mounted includes its own collections.
#[derive(Debug, Subcommand)]
pub(super) enum Schema {
    /// Show what a sync would do: each step with its statements and the lock it takes.
    Plan {
        /// Print a script for psql instead.
        #[arg(long)]
        sql: bool,
    },
    /// Make the schema what it should be, beside the traffic.
    Sync {
        /// Take destructive steps too. Asks first.
        #[arg(long)]
        allow_destructive: bool,
    },
    /// Change nothing, and end with 3 when a sync would: for a start, and for CI.
    Assert,
    /// Write the collections alone as a migration to review; no database is asked.
    Patch {
        /// The file to write; standard output otherwise.
        file: Option<PathBuf>,
    },
    /// Write everything as a script that makes it from nothing; no database is asked.
    Dump {
        /// The file to write; standard output otherwise.
        file: Option<PathBuf>,
    },
    /// Print who may do what, as a script: owner, writer, reader, daemon; no database is asked.
    Roles(Roles),
}

/// The roles.
#[derive(Debug, Args)]
pub(super) struct Roles {
    /// What their names begin with. Roles belong to the whole server: give each store its own.
    #[arg(long, value_name = "NAME", default_value = "rillflow")]
    prefix: String,
    /// Make the roles and grant, in one transaction. Asks first.
    #[arg(long)]
    apply: bool,
}

/// A step as JSON.
#[derive(Debug, Serialize)]
struct Step<'p> {
    description: &'p str,
    statements: &'p [String],
    lock: String,
    table: Option<&'p str>,
    destructive: bool,
}

#[derive(Debug, Serialize)]
struct Plan<'p> {
    steps: Vec<Step<'p>>,
    warnings: &'p [String],
}

impl<'p> From<&'p SchemaPlan> for Plan<'p> {
    fn from(plan: &'p SchemaPlan) -> Self {
        let step = |it: &'p SchemaStep| Step {
            description: &it.description,
            statements: &it.statements,
            lock: it.lock.to_string(),
            table: it.table.as_deref(),
            destructive: it.destructive,
        };
        Self { steps: plan.steps.iter().map(step).collect(), warnings: &plan.warnings }
    }
}

impl Schema {
    pub(super) async fn run(self, session: &mut Session) -> Ran {
        match self {
            Self::Plan { sql } => plan(session, sql).await.map(|_| Done::Well),
            Self::Assert => match plan(session, false).await?.is_empty() {
                true => Ok(Done::Well),
                false => Ok(Done::Found),
            },
            Self::Sync { allow_destructive } => sync(session, allow_destructive).await,
            Self::Patch { file } => {
                let text = session.offline_store().await?.schema().texts_alone().patch();
                write(&mut session.out, file.as_deref(), &text)
            }
            Self::Dump { file } => {
                let text = session.offline_store().await?.schema().texts_alone().dump();
                write(&mut session.out, file.as_deref(), &text)
            }
            Self::Roles(roles) => roles.run(session).await,
        }
    }
}

impl Roles {
    async fn run(self, session: &mut Session) -> Ran {
        let of_a_tenant = session.global.tenant.is_some();
        let store = if self.apply || of_a_tenant { session.store().await? } else { session.offline_store().await? };
        let roles = store.schema().roles().named(&self.prefix);
        if !self.apply {
            return write(&mut session.out, None, &roles.sql());
        }
        let names = ["owner", "writer", "reader", "daemon"].map(|role| format!("{}_{role}", self.prefix));
        let names = names.join(", ");
        session.confirm(&format!("Make the roles {names}, and hand the tables to the first?"))?;
        roles.apply().await?;
        session
            .out
            .show(&serde_json::json!({ "applied": self.prefix }), |out| out.line(&format!("granted to {names}")))?;
        Ok(Done::Well)
    }
}

async fn plan(session: &mut Session, sql: bool) -> Result<SchemaPlan, Failure> {
    let store = session.store().await?;
    let plan = store.schema().plan(&SchemaConfig::single_tenant()).await?;
    session.out.show(&Plan::from(&plan), |out| {
        let text = if sql { plan.sql() } else { plan.to_string() };
        out.write_all(text.as_bytes())
    })?;
    Ok(plan)
}

async fn sync(session: &mut Session, allow_destructive: bool) -> Ran {
    let store = session.store().await?;
    let config = SchemaConfig::single_tenant().allow_destructive(allow_destructive);
    if allow_destructive {
        let destructive = store.schema().plan(&config).await?.destructive().count() as u64;
        if destructive > 0 {
            session.confirm(&format!("Take {}?", count(destructive, "destructive step")))?;
        }
    }
    let bar = session.out.working("bringing the schema up to date");
    let told = |it: crate::SchemaProgress<'_>| {
        bar.set_message(format!("step {} of {}: {}", it.done + 1, it.total, it.step.description));
    };
    let changes = store.schema().sync_with_progress(&config, told).await;
    bar.finish_and_clear();
    let steps = changes?.steps;
    session.out.show(&serde_json::json!({ "steps": steps }), |out| {
        if steps.is_empty() {
            return out.line("Up to date: nothing to do.");
        }
        steps.iter().try_for_each(|step| out.line(&format!("done: {step}")))
    })?;
    Ok(Done::Well)
}

fn write(out: &mut Out, file: Option<&Path>, text: &str) -> Ran {
    let Some(file) = file else {
        out.show(&serde_json::json!({ "sql": text }), |out| out.write_all(text.as_bytes()))?;
        return Ok(Done::Well);
    };
    std::fs::write(file, text).map_err(|error| {
        Failure::failed(format!("cannot write {}: {error}", file.display()), "is its folder there, and yours?")
    })?;
    out.show(&serde_json::json!({ "file": file, "bytes": text.len() }), |out| {
        out.line(&format!("wrote {} bytes to {}", text.len(), file.display()))
    })?;
    Ok(Done::Well)
}
