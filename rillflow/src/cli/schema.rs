//! `rillflow schema`.

use clap::Subcommand;

use super::connect::Session;
use super::{Done, Ran};
use crate::SchemaConfig;

/// What to do with the schema.
#[derive(Debug, Subcommand)]
pub(super) enum Schema {
    /// Make what is missing, beside the traffic.
    Sync,
}

impl Schema {
    pub(super) async fn run(self, session: &mut Session) -> Ran {
        match self {
            Self::Sync => sync(session).await,
        }
    }
}

async fn sync(session: &mut Session) -> Ran {
    let store = session.store().await?;
    let bar = session.out.working("bringing the schema up to date");
    let changes = store.schema().sync(&SchemaConfig::single_tenant()).await;
    bar.finish_and_clear();
    let steps = changes?.steps;
    session.out.show(&serde_json::json!({ "steps": steps }), |out| {
        if steps.is_empty() {
            return out.line("Up to date: nothing to do.");
        }
        steps.iter().try_for_each(|step| out.line(&format!("made {step}")))
    })?;
    Ok(Done::Well)
}
