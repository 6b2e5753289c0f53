//! `rillflow snapshots`.

use clap::{Args, Subcommand};
use serde::Serialize;

use super::app::AnyAggregate;
use super::connect::Session;
use super::failure::Failure;
use super::out::count;
use super::{Done, Ran};
use crate::SnapshotterConfig;

/// What to do with snapshots.
#[derive(Debug, Subcommand)]
pub(super) enum Snapshots {
    /// Compact one batch of streams of each aggregate.
    CompactOnce(Which),
    /// Compact every stream that is due.
    RunUntilIdle(Which),
}

/// Which streams get a snapshot.
#[derive(Debug, Args)]
pub(super) struct Which {
    /// How many events since the last snapshot make a new one worth its while.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..))]
    threshold: u32,
    /// How many streams of an aggregate are compacted at a time.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..))]
    batch: u32,
    /// This aggregate only; all that the program knows otherwise.
    #[arg(long, value_name = "NAME")]
    aggregate: Option<String>,
}

/// What became of one aggregate's streams.
#[derive(Debug, Serialize)]
struct Compacted {
    aggregate: &'static str,
    compacted: u64,
    failures: Vec<Unfoldable>,
}

#[derive(Debug, Serialize)]
struct Unfoldable {
    stream_id: String,
    error: String,
}

impl Snapshots {
    pub(super) async fn run(self, session: &mut Session) -> Ran {
        let (which, to_the_end) = match self {
            Self::CompactOnce(which) => (which, false),
            Self::RunUntilIdle(which) => (which, true),
        };
        let store = session.store().await?;
        // also where no aggregate is known, it must be a store
        store.events().stream_exists(uuid::Uuid::nil()).await?;
        let config = SnapshotterConfig { threshold_events: which.threshold, batch_size: which.batch };
        let bar = session.out.working("compacting streams");
        let mut all = Vec::new();
        for aggregate in which.aggregates(&session.app.aggregates)? {
            bar.set_message(format!("compacting the streams of {}", aggregate.name));
            let done = (aggregate.compact)(store.clone(), config, to_the_end).await?;
            let failures = done.failures.into_iter();
            let failures =
                failures.map(|(id, error)| Unfoldable { stream_id: id.to_string(), error: error.to_string() });
            all.push(Compacted { aggregate: aggregate.name, compacted: done.compacted, failures: failures.collect() });
        }
        bar.finish_and_clear();
        show(session, &all)?;
        Ok(if all.iter().any(|it| !it.failures.is_empty()) { Done::Found } else { Done::Well })
    }
}

impl Which {
    fn aggregates<'a>(&self, known: &'a [AnyAggregate]) -> Result<Vec<&'a AnyAggregate>, Failure> {
        let chosen: Vec<_> =
            known.iter().filter(|it| self.aggregate.as_deref().is_none_or(|name| name == it.name)).collect();
        match &self.aggregate {
            Some(name) if chosen.is_empty() => Err(Failure::failed(
                format!("no aggregate `{name}` is known here"),
                "mount the command line in your program: `rillflow::cli::App::new(..).aggregate::<Yours>()`",
            )),
            _ => Ok(chosen),
        }
    }
}

fn show(session: &mut Session, all: &[Compacted]) -> Result<(), Failure> {
    session.out.show(all, |out| {
        if all.is_empty() {
            out.line("No aggregate is known here, so no stream can be folded and nothing was compacted.")?;
            return out
                .line("Mount the command line in your program: `rillflow::cli::App::new(..).aggregate::<Yours>()`.");
        }
        for done in all {
            out.line(&format!("{}: {} compacted", done.aggregate, count(done.compacted, "stream")))?;
            for failure in &done.failures {
                out.line(&format!("  passed over {}: {}", failure.stream_id, failure.error))?;
            }
        }
        Ok(())
    })
}
