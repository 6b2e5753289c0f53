//! The cases, and how they are run: in turns, so that whatever else the machine does meets all contestants alike.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use tokio::sync::Barrier;

use crate::contestants::Contestant;
use crate::processor::Used;
use crate::server::Server;
use crate::{Result, What};

/// How long a contestant runs before it counts: connections open, statements are prepared.
const WARM_UP: Duration = Duration::from_millis(100);

/// What a worker does again and again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Op {
    /// Append so many events in one call.
    Append(usize),
    /// Append one event to a stream at a known version.
    AppendExpected,
    /// Load 100 events and fold them.
    Load,
    /// Read all events, typed.
    ReadAll,
    /// Bring an empty read model up to date.
    Project,
    Upsert,
    Get,
    Query,
    /// Store many new documents in one call.
    BulkInsert,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Case {
    name: &'static str,
    pub(crate) op: Op,
    pub(crate) workers: usize,
    unit: &'static str,
}

const fn case(name: &'static str, op: Op, workers: usize, unit: &'static str) -> Case {
    Case { name, op, workers, unit }
}

impl Case {
    pub(crate) const ALL: [Self; 15] = [
        case("A1 append 1 event, 1 writer", Op::Append(1), 1, "appends"),
        case("A1 append 1 event, 8 writers", Op::Append(1), 8, "appends"),
        case("A1 append 1 event, 32 writers", Op::Append(1), 32, "appends"),
        case("A1 append 1 event, 128 writers", Op::Append(1), 128, "appends"),
        case("A2 append 10 in one call, 8 writers", Op::Append(10), 8, "appends"),
        case("A2 append 100 in one call, 8 writers", Op::Append(100), 8, "appends"),
        case("A3 append at an expected version, 1 writer", Op::AppendExpected, 1, "appends"),
        case("A3 append at an expected version, 8 writers", Op::AppendExpected, 8, "appends"),
        case("A4 load and fold 100 events, 8 readers", Op::Load, 8, "loads"),
        case("B1 read all events", Op::ReadAll, 1, "events"),
        case("B2 async projection, one document per event", Op::Project, 1, "events"),
        case("C1 document upsert, 8 writers", Op::Upsert, 8, "documents"),
        case("C2 document by id, 8 readers", Op::Get, 8, "documents"),
        case("C3 query of 20 of 100k by an index, 8 readers", Op::Query, 8, "queries"),
        case("C4 bulk insert of 10k documents", Op::BulkInsert, 1, "documents"),
    ];

    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    pub(crate) fn kind(&self) -> What {
        match self.op {
            Op::Append(_) | Op::AppendExpected => What::Append,
            Op::Load => What::Load,
            Op::ReadAll | Op::Project => What::Read,
            Op::Upsert | Op::Get | Op::Query | Op::BulkInsert => What::Documents,
        }
    }
}

/// One of those who work at the same time.
pub(crate) trait Worker: Send {
    /// What has to be done before a step and is not measured.
    fn reset(&mut self) -> BoxFuture<'_, Result<()>> {
        Box::pin(async { Ok(()) })
    }

    /// One operation; how many units it did.
    fn step(&mut self) -> BoxFuture<'_, Result<u64>>;
}

pub(crate) type Workers = Vec<Box<dyn Worker>>;

pub(crate) struct Contest {
    pub(crate) server: Server,
    pub(crate) contestants: Vec<Box<dyn Contestant>>,
    pub(crate) seconds: f64,
    pub(crate) rounds: usize,
}

/// What one contestant came to in one case.
#[derive(Default)]
struct Score {
    units: u64,
    busy: Duration,
    used: Used,
    statements: Option<f64>,
}

impl Score {
    fn rate(&self) -> f64 {
        self.units as f64 / self.busy.as_secs_f64().max(1e-9)
    }
}

impl Contest {
    pub(crate) fn introduce(&self) {
        let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
        let cores = std::thread::available_parallelism().map_or(0, usize::from);
        println!("{} on {cores} cores, load {}", self.server.version, load.split(' ').next().unwrap_or("unknown"));
        println!(
            "{:48} {:24} {:>12} {:>7} {:>10} {:>10} {:>11}",
            "case", "", "per second", "ratio", "client us", "server us", "statements"
        );
    }

    /// Runs one case in turns, and prints it.
    pub(crate) async fn run(&self, case: Case) -> Result<()> {
        let mut entered: Vec<(usize, Workers, Score)> = Vec::new();
        for (index, contestant) in self.contestants.iter().enumerate() {
            let mut workers = contestant.workers(&self.server, case).await?;
            if !workers.is_empty() {
                work(&mut workers, WARM_UP).await?;
                entered.push((index, workers, Score::default()));
            }
        }
        let slice = Duration::from_secs_f64(self.seconds / self.rounds as f64);
        for round in 0..self.rounds {
            let contestants = entered.len();
            for turn in 0..contestants {
                let (_, workers, score) = &mut entered[(turn + round) % contestants];
                let before = Used::now(self.server.postmaster)?;
                let (units, busy) = work(workers, slice).await?;
                score.used.add(Used::now(self.server.postmaster)?.since(before));
                score.units += units;
                score.busy += busy;
            }
        }
        for (index, workers, score) in &mut entered {
            score.statements = self.statements(&*self.contestants[*index], case, workers).await?;
        }
        self.print(case, &entered);
        Ok(())
    }

    /// Statements for each operation, counted by the server in a pass of its own.
    async fn statements(&self, of: &dyn Contestant, case: Case, workers: &mut Workers) -> Result<Option<f64>> {
        if !self.server.count_from_now().await? {
            return Ok(None);
        }
        let (units, _) = work(workers, Duration::from_millis(200)).await?;
        Ok(Some(self.server.counted(&of.database(case)).await? as f64 / units.max(1) as f64))
    }

    fn print(&self, case: Case, entered: &[(usize, Workers, Score)]) {
        let base = entered.first().map_or(1.0, |(_, _, score)| score.rate());
        for (place, (index, _, score)) in entered.iter().enumerate() {
            let name = if place == 0 { case.name } else { "" };
            let (who, rate) = (self.contestants[*index].name(), score.rate());
            let statements = score.statements.map_or("unknown".to_owned(), |it| format!("{it:.3}"));
            let each = |used: Duration| used.as_secs_f64() * 1e6 / score.units.max(1) as f64;
            let (client, server) = (each(score.used.client), each(score.used.server));
            let ratio = rate / base;
            println!(
                "{name:48} {who:24} {rate:>12.0} {ratio:>7.2} {client:>10.1} {server:>10.1} {statements:>11} / {}",
                case.unit
            );
        }
    }
}

/// Lets the workers work for a while; what they did, and how long it took.
async fn work(workers: &mut Workers, slice: Duration) -> Result<(u64, Duration)> {
    let start = Arc::new(Barrier::new(workers.len()));
    let tasks: Vec<_> = std::mem::take(workers)
        .into_iter()
        .map(|mut worker| {
            let start = Arc::clone(&start);
            tokio::spawn(async move {
                start.wait().await;
                let done = work_alone(&mut *worker, slice).await;
                (worker, done)
            })
        })
        .collect();
    let (mut units, mut longest) = (0, Duration::ZERO);
    for task in tasks {
        let (worker, done) = task.await?;
        let (did, busy) = done?;
        workers.push(worker);
        units += did;
        longest = longest.max(busy);
    }
    Ok((units, longest))
}

async fn work_alone(worker: &mut dyn Worker, slice: Duration) -> Result<(u64, Duration)> {
    let (mut units, mut busy) = (0, Duration::ZERO);
    while busy < slice {
        worker.reset().await?;
        let began = Instant::now();
        units += worker.step().await?;
        busy += began.elapsed();
    }
    Ok((units, busy))
}
