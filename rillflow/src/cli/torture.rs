//! `rillflow torture`.

use clap::Args;

use super::Ran;
use super::connect::Session;

/// How hard, and for how long.
#[derive(Clone, Debug, Args)]
#[command(
    after_help = "Makes two databases on the server of --database-url and drops them at the end, so --schema and \
                        --tenant do not count. Exit code 3 when anything was lost, doubled, reordered or held back."
)]
#[cfg_attr(not(feature = "testing"), allow(dead_code, reason = "read, then refused"))]
pub(super) struct Torture {
    /// How long the writers write.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    seconds: u64,
    /// How many write; each needs two connections.
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..))]
    writers: u16,
    /// How many read all events, beside a projection.
    #[arg(long, default_value_t = 3)]
    readers: u16,
    /// Send every append by itself, instead of several in one statement.
    #[arg(long)]
    no_batching: bool,
    /// Where the dice begin that choose what each writer does.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

#[cfg(not(feature = "testing"))]
impl Torture {
    pub(super) async fn run(self, _session: &mut Session) -> Ran {
        Err(super::failure::Failure::usage(
            "this program was built without rillflow's feature `testing`, which has the torture",
            "cargo install rillflow --features cli,testing",
        ))
    }
}

#[cfg(feature = "testing")]
mod with_testing {
    use std::time::Duration;

    use serde::Serialize;

    use super::{Ran, Session, Torture};
    use crate::Error;
    use crate::cli::failure::Failure;
    use crate::cli::{Done, interrupted};
    use crate::testing::torture::{self, Report};

    /// `insufficient_privilege`
    const NOT_ALLOWED: &str = "42501";

    /// What was asked for, and what was counted.
    #[derive(Debug, Serialize)]
    struct Tortured {
        clean: bool,
        seconds: u64,
        writers: u16,
        batching: bool,
        seed: u64,
        #[serde(flatten)]
        report: Report,
    }

    impl Torture {
        pub(in crate::cli) async fn run(self, session: &mut Session) -> Ran {
            let server = session.server().await?;
            let bar = session.out.working(&format!(
                "{} writers and {} readers for {} s, seed {}",
                self.writers, self.readers, self.seconds, self.seed
            ));
            let torture = self.torture();
            let ended = tokio::select! {
                report = torture.run_on(server) => report.map_err(explained),
                () = interrupted() => Err(Failure::failed("interrupted, and nothing was counted", "")),
            };
            bar.finish_and_clear();
            self.show(session, ended?)
        }

        fn torture(&self) -> torture::Torture {
            let duration = Duration::from_secs(self.seconds);
            let torture = torture::Torture::new().duration(duration).writers(self.writers).readers(self.readers);
            torture.batch_appends(!self.no_batching).seed(self.seed)
        }

        fn show(self, session: &mut Session, report: Report) -> Ran {
            let Self { seconds, writers, no_batching, seed, .. } = self;
            let clean = report.is_clean();
            let tortured = Tortured { clean, seconds, writers, batching: !no_batching, seed, report };
            session.out.show(&tortured, |out| out.line(&tortured.report.to_string()))?;
            Ok(if clean { Done::Well } else { Done::Found })
        }
    }

    fn explained(error: Error) -> Failure {
        match &error {
            Error::Database(sqlx::Error::Database(refused)) if refused.code().as_deref() == Some(NOT_ALLOWED) => {
                Failure::failed(error.to_string(), "it makes databases of its own: use a role that has CREATEDB")
            }
            _ => error.into(),
        }
    }
}
