//! `rillflow projections`.

use std::net::SocketAddr;
use std::time::Instant;

use clap::{Args, Subcommand};
use metrics_exporter_prometheus::PrometheusBuilder;
use serde::Serialize;
use serde_json::json;

use super::connect::Session;
use super::failure::Failure;
use super::out::{count, maybe, moment};
use super::{Done, Ran, interrupted};
use crate::projection_runtime::TickResult;
use crate::projections::{DeadLetter, RebuildProgress, Requeued, ShardStatus};
use crate::{DaemonConfig, ProjectionStatus, Store};

/// What to do with projections. What only looks, pauses or moves one works with the stock binary; what runs a
/// projection's own code needs the command line mounted in the program that knows it.
#[derive(Debug, Subcommand)]
pub(super) enum Projections {
    /// All projections.
    List,
    /// How far a projection is, who runs it, what stops it.
    Status(One),
    /// Pause a projection, in whatever process it runs.
    Pause(One),
    /// Let a paused projection go on.
    Resume(One),
    /// Set the checkpoint of a projection, and nothing else: its read model stays as it is.
    ResetCheckpoint {
        #[command(flatten)]
        one: One,
        /// The position after which it goes on.
        #[arg(value_parser = clap::value_parser!(i64).range(0..))]
        position: i64,
    },
    /// Split a projection by stream into shards, which processes run side by side.
    Split {
        #[command(flatten)]
        one: One,
        /// How many; 1 makes it whole again.
        #[arg(value_parser = clap::value_parser!(i32).range(1..=1024))]
        shards: i32,
    },
    /// Build a read model anew beside the live one, then put it in its place.
    Rebuild(One),
    /// Run one batch of each projection.
    RunOnce(Some_),
    /// Run until every event that is settled by now is handled.
    RunUntilIdle(Some_),
    /// Run the projections until interrupted.
    Run {
        /// Serve metrics for Prometheus here, such as 127.0.0.1:9464.
        #[arg(long, value_name = "ADDRESS:PORT", env = "RILLFLOW_METRICS_ADDR")]
        metrics_addr: Option<SocketAddr>,
        /// Of every tenant, those made later too.
        #[arg(long)]
        all_tenants: bool,
        /// How many connections all tenants share, beside one that listens.
        #[arg(long, default_value_t = 5, requires = "all_tenants", value_parser = clap::value_parser!(u32).range(1..))]
        connections: u32,
    },
    /// What a projection has done, and what it has still to do.
    Metrics(One),
    /// The events that a projection set aside.
    DlqList {
        #[command(flatten)]
        one: One,
        /// How many at most.
        #[arg(long, default_value_t = 100)]
        limit: u32,
    },
    /// Try a dead letter again, and what waits behind it; or all dead letters of a key, in their order.
    DlqRequeue {
        #[command(flatten)]
        one: One,
        /// The letter, as `dlq-list` numbers it.
        #[arg(long, required_unless_present = "key", conflicts_with = "key")]
        id: Option<i64>,
        /// The key, such as a document's id, as `dlq-list --json` shows it.
        #[arg(long, conflicts_with = "dry_run")]
        key: Option<String>,
        /// Only say what it would come to.
        #[arg(long)]
        dry_run: bool,
    },
    /// Give an event up for good.
    DlqDelete(Letter),
}

/// One projection.
#[derive(Debug, Args)]
pub(super) struct One {
    /// The projection's name.
    name: String,
}

/// One projection, or all.
#[derive(Debug, Args)]
pub(super) struct Some_ {
    /// This one only.
    #[arg(long)]
    name: Option<String>,
}

/// One dead letter.
#[derive(Debug, Args)]
pub(super) struct Letter {
    /// The projection's name.
    name: String,
    /// The letter, as `dlq-list` numbers it.
    #[arg(long)]
    id: i64,
}

impl Projections {
    pub(super) async fn run(self, session: &mut Session) -> Ran {
        if let Self::Run { metrics_addr, all_tenants: true, connections } = self {
            run_all_tenants(session, metrics_addr, connections).await?;
            return Ok(Done::Well);
        }
        let store = session.store().await?;
        let all = store.projections();
        match self {
            Self::List => list(session, &store).await?,
            Self::Status(one) => show(session, &all.status(&one.name).await?)?,
            Self::Pause(one) => {
                all.pause(&one.name).await?;
                show(session, &all.status(&one.name).await?)?;
            }
            Self::Resume(one) => {
                all.resume(&one.name).await?;
                show(session, &all.status(&one.name).await?)?;
            }
            Self::ResetCheckpoint { one, position } => reset(session, &store, &one.name, position).await?,
            Self::Split { one, shards } => {
                all.split(&one.name, shards).await?;
                show(session, &all.status(&one.name).await?)?;
            }
            Self::Rebuild(one) => rebuild(session, &store, &one.name).await?,
            Self::RunOnce(some) => ran(session, all.run_once(some.name.as_deref()).await?)?,
            Self::RunUntilIdle(some) => ran(session, all.run_until_idle(some.name.as_deref()).await?)?,
            Self::Run { metrics_addr, .. } => run(session, &store, metrics_addr).await?,
            Self::Metrics(one) => metrics(session, &store, &one.name).await?,
            Self::DlqList { one, limit } => {
                all.status(&one.name).await?;
                letters(session, &all.dlq_list(&one.name, limit).await?)?;
            }
            Self::DlqRequeue { one, key: Some(key), .. } => {
                return requeued(session, "took effect", all.dlq_requeue_key(&one.name, &key).await?);
            }
            Self::DlqRequeue { one, id, dry_run: true, .. } => {
                let done = all.dlq_dry_run(&one.name, id.unwrap_or_default()).await?;
                return requeued(session, "would take effect", done);
            }
            Self::DlqRequeue { one, id, dry_run: false, .. } => {
                let done = all.dlq_requeue(&one.name, id.unwrap_or_default()).await?;
                return requeued(session, "took effect", done);
            }
            Self::DlqDelete(letter) => {
                return requeued(session, "took effect", all.dlq_delete(&letter.name, letter.id).await?);
            }
        }
        Ok(Done::Well)
    }
}

/// A projection as JSON.
#[derive(Debug, Serialize)]
struct Shown<'p> {
    name: &'p str,
    version: i32,
    status: &'p str,
    position: i64,
    behind: i64,
    owner: Option<uuid::Uuid>,
    error: Option<&'p str>,
    rebuilding: Option<Rebuilding>,
    dead_letters: i64,
    shards: Vec<ShownShard<'p>>,
}

#[derive(Debug, Serialize)]
struct ShownShard<'p> {
    position: i64,
    owner: Option<uuid::Uuid>,
    error: Option<&'p str>,
}

#[derive(Clone, Copy, Debug, Serialize)]
struct Rebuilding {
    position: i64,
    version: i32,
}

impl<'p> Shown<'p> {
    fn new(it: &'p ProjectionStatus, mark: i64) -> Self {
        Self {
            name: &it.name,
            version: it.version,
            status: &it.status,
            position: it.position,
            behind: (mark - it.position).max(0),
            owner: it.owner,
            error: it.error.as_deref(),
            rebuilding: it.rebuilding.map(|(position, version)| Rebuilding { position, version }),
            dead_letters: it.dead_letters,
            shards: it.shards.iter().map(ShownShard::new).collect(),
        }
    }
}

impl<'p> ShownShard<'p> {
    fn new(it: &'p ShardStatus) -> Self {
        Self { position: it.position, owner: it.owner, error: it.error.as_deref() }
    }
}

async fn list(session: &mut Session, store: &Store) -> Result<(), Failure> {
    let all = store.projections().list().await?;
    let mark = store.events().safe_mark().await?;
    let shown: Vec<_> = all.iter().map(|it| Shown::new(it, mark)).collect();
    session.out.show(&shown, |out| {
        let rows = shown.iter().map(|it| {
            let numbers = [i64::from(it.version), it.position, it.behind, it.dead_letters].map(|n| n.to_string());
            let [version, position, behind, letters] = numbers;
            [it.name.to_owned(), version, it.status.to_owned(), position, behind, letters, maybe(it.error)]
        });
        let headings = ["projection", "version", "status", "position", "behind", "dead letters", "error"];
        out.table(headings, rows, "No projection has run here yet.")
    })
}

fn show(session: &mut Session, status: &ProjectionStatus) -> Result<(), Failure> {
    let shown = Shown::new(status, status.position);
    let value = serde_json::to_value(&shown).map_err(std::io::Error::from)?;
    // who is asked about one projection wants to know how it is, not where the log ends
    let value = value.as_object().map(|all| all.iter().filter(|(name, _)| *name != "behind").collect::<Vec<_>>());
    let value: serde_json::Map<_, _> =
        value.into_iter().flatten().map(|(name, value)| (name.clone(), value.clone())).collect();
    session.out.show(&value, |out| {
        out.facts([
            ("projection", status.name.clone()),
            ("version", status.version.to_string()),
            ("status", status.status.clone()),
            ("position", status.position.to_string()),
            ("owner", status.owner.map_or_else(|| "nobody".to_owned(), |it| it.to_string())),
            ("shards", maybe(shards(status))),
            ("rebuilding", maybe(status.rebuilding.map(|(at, version)| format!("version {version}, at {at}")))),
            ("dead letters", status.dead_letters.to_string()),
            ("error", maybe(status.error.clone())),
        ])
    })
}

/// Where each shard is, and who has it, when there are several.
fn shards(status: &ProjectionStatus) -> Option<String> {
    let each = status.shards.iter().map(|it| match it.owner {
        Some(owner) => format!("at {} ({owner})", it.position),
        None => format!("at {} (nobody)", it.position),
    });
    (status.shards.len() > 1).then(|| format!("{}: {}", status.shards.len(), each.collect::<Vec<_>>().join(", ")))
}

async fn reset(session: &mut Session, store: &Store, name: &str, position: i64) -> Result<(), Failure> {
    let all = store.projections();
    all.reset_checkpoint(name, position).await?;
    show(session, &all.status(name).await?)
}

async fn rebuild(session: &mut Session, store: &Store, name: &str) -> Result<(), Failure> {
    let bar = session.out.working(&format!("rebuilding {name}"));
    let began = Instant::now();
    let mut handled = 0;
    let told = |it: RebuildProgress| {
        handled = it.handled;
        let left = it.time_left(began.elapsed()).map_or_else(String::new, |it| format!(", {} s left", it.as_secs()));
        let (position, target, rate) = (it.position, it.target, it.events_per_second);
        bar.set_message(format!("rebuilding {name}: {position} of {target}, {rate:.0} events/s{left}"));
    };
    store.projections().rebuild(name, told).await?;
    bar.finish_and_clear();
    let status = store.projections().status(name).await?;
    let shown = json!({ "name": name, "position": status.position, "handled": handled });
    session.out.show(&shown, |out| {
        out.line(&format!("{name} was rebuilt from {} and stands at {}", count(handled, "event"), status.position))
    })
}

fn ran(session: &mut Session, results: Vec<(String, TickResult)>) -> Result<(), Failure> {
    #[derive(Serialize)]
    struct Ran {
        name: String,
        result: &'static str,
        processed: u64,
    }
    let all: Vec<_> = results
        .into_iter()
        .map(|(name, result)| match result {
            TickResult::Processed { count } => Ran { name, result: "processed", processed: count },
            TickResult::Paused => Ran { name, result: "paused", processed: 0 },
            TickResult::LeasedByOther => Ran { name, result: "leased by another process", processed: 0 },
            TickResult::Idle => Ran { name, result: "idle", processed: 0 },
        })
        .collect();
    session.out.show(&all, |out| {
        if all.is_empty() {
            out.line("No projection is known here, so none was run.")?;
            return out.line("Mount the command line in your program: `rillflow::cli::App::new(..)`.");
        }
        all.iter().try_for_each(|it| match it.processed {
            0 => out.line(&format!("{}: {}", it.name, it.result)),
            n => out.line(&format!("{}: {}", it.name, count(n, "event"))),
        })
    })
}

async fn run(session: &mut Session, store: &Store, metrics_addr: Option<SocketAddr>) -> Result<(), Failure> {
    serve_metrics(metrics_addr)?;
    let stopped = interrupted();
    let daemon = store.start_daemon().await?;
    let said = say_that_it_runs(session, metrics_addr);
    if said.is_ok() {
        stopped.await;
    }
    // others need not wait until its leases run out, also when nobody reads what it says
    daemon.shutdown().await;
    said
}

async fn run_all_tenants(
    session: &mut Session,
    metrics_addr: Option<SocketAddr>,
    connections: u32,
) -> Result<(), Failure> {
    if session.global.tenant.is_some() {
        return Err(Failure::usage(
            "one tenant and all of them were asked for",
            "leave --tenant away, or --all-tenants",
        ));
    }
    let store = session.tenants().await?;
    serve_metrics(metrics_addr)?;
    let stopped = interrupted();
    let daemon = store.start_daemon(DaemonConfig::default(), connections);
    let said = say_that_it_runs(session, metrics_addr);
    if said.is_ok() {
        stopped.await;
    }
    daemon.shutdown().await;
    said
}

fn serve_metrics(addr: Option<SocketAddr>) -> Result<(), Failure> {
    let Some(addr) = addr else { return Ok(()) };
    let installed = PrometheusBuilder::new().with_http_listener(addr).install();
    installed.map_err(|error| Failure::failed(format!("cannot serve metrics at {addr}: {error}"), "is the port free?"))
}

fn say_that_it_runs(session: &mut Session, metrics_addr: Option<SocketAddr>) -> Result<(), Failure> {
    session.out.show_line(&json!({ "running": true, "metrics": metrics_addr }), || match metrics_addr {
        Some(addr) => format!("Running until interrupted; metrics at http://{addr}/metrics"),
        None => "Running until interrupted.".to_owned(),
    })
}

async fn metrics(session: &mut Session, store: &Store, name: &str) -> Result<(), Failure> {
    let it = store.projections().metrics(name).await?;
    let shown = json!({
        "name": it.name, "inline": it.inline, "position": it.position, "lag_events": it.lag_events, "lag_seconds": it.lag_seconds,
        "processed": it.processed, "events_per_second": it.events_per_second, "failures": it.failures,
        "dead_letters": it.dead_letters,
    });
    session.out.show(&shown, |out| {
        if it.inline {
            return out.facts([
                ("projection", it.name.clone()),
                ("position", it.position.to_string()),
                ("behind", "never: inline, applied with each append".to_owned()),
            ]);
        }
        out.facts([
            ("projection", it.name.clone()),
            ("position", it.position.to_string()),
            ("behind", format!("{} events, {:.1} s", it.lag_events, it.lag_seconds)),
            ("processed", it.processed.to_string()),
            ("events/s", format!("{:.0}", it.events_per_second)),
            ("failures", it.failures.to_string()),
            ("dead letters", it.dead_letters.to_string()),
        ])
    })
}

fn letters(session: &mut Session, letters: &[DeadLetter]) -> Result<(), Failure> {
    let shown: Vec<_> = letters
        .iter()
        .map(|it| {
            json!({
                "id": it.id, "projection": it.projection, "position": it.position, "event_id": it.event_id,
                "event_type": it.event_type, "keys": it.keys, "error": it.error, "attempts": it.attempts,
                "created_at": it.created_at, "updated_at": it.updated_at,
                "payload": it.payload.as_ref().and_then(|it| it.parse::<serde_json::Value>().ok()),
            })
        })
        .collect();
    session.out.show(&shown, |out| {
        let rows = letters.iter().map(|it| {
            let why = it.error.clone().unwrap_or_else(|| "waits behind another".to_owned());
            let (id, position) = (it.id.to_string(), it.position.to_string());
            [id, position, maybe(it.event_type.clone()), it.attempts.to_string(), moment(it.updated_at), why]
        });
        out.table(["id", "position", "type", "attempts", "last tried", "error"], rows, "No dead letters.")
    })
}

fn requeued(session: &mut Session, how: &str, it: Requeued) -> Ran {
    let failed = it.failed.as_ref().map(|(id, error)| (*id, error.to_string()));
    let shown = json!({
        "applied": it.applied, "waiting": it.waiting,
        "failed": failed.as_ref().map(|(id, error)| json!({ "id": id, "error": error })),
    });
    session.out.show(&shown, |out| {
        out.line(&format!("{} {how}, {} still waiting", count(it.applied, "event"), it.waiting))?;
        match &failed {
            Some((id, error)) => out.line(&format!("letter {id} failed again: {error}")),
            None => Ok(()),
        }
    })?;
    Ok(if it.failed.is_some() { Done::Found } else { Done::Well })
}
