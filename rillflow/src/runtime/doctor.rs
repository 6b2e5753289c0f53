//! A diagnosis: what is wrong with a store, and what to do about it.

use std::time::Duration;

use serde::Serialize;
use sqlx::PgConnection;

use super::sessions::Sessions;
use super::{Core, inline};
use crate::Result;
use crate::model::SchemaPlan;
use crate::sql::MIGRATIONS;
use crate::storage::doctor::{self, Behind, Holder, Mark, Sequence, Server};
use crate::storage::schema;

/// The oldest PostgreSQL that rillflow is tested on.
const OLDEST: i32 = 140_000;
/// An append that is open longer holds readers up noticeably.
const LONG_OPEN: f64 = 5.0;
/// A mark that was not published for so long, though it moved: nobody runs who would.
const UNPUBLISHED: f64 = 10.0;
/// Another transaction may keep VACUUM away so long.
const LONG_SNAPSHOT: f64 = 600.0;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Severity {
    /// As it should be.
    Ok,
    /// Worth knowing.
    Info,
    /// Works, and should be mended.
    Warning,
    /// Does not work, or may lose something.
    Critical,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Finding {
    /// What was looked at: `connection`, `pooler`, `version`, `role`, `schema`, `drift`, `sequence`, `mark`, `projection`, `index`,
    /// `dead-letters`, `bloat`.
    pub check: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// What was found, in one line.
    pub problem: String,
    /// What to do about it; empty when there is nothing to do.
    pub fix: String,
}

impl Finding {
    fn new(check: &'static str, severity: Severity, problem: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { check, severity, problem: problem.into(), fix: fix.into() }
    }

    fn ok(check: &'static str, words: impl Into<String>) -> Self {
        Self::new(check, Severity::Ok, words, "")
    }

    /// The store cannot be reached.
    #[cfg(feature = "cli")]
    pub(crate) fn unreachable(problem: String, fix: String) -> Self {
        Self { check: "connection", severity: Severity::Critical, problem, fix }
    }
}

/// Looks at everything.
pub(crate) async fn diagnose(core: &Core) -> Result<Vec<Finding>> {
    let mut conn = core.pool.acquire().await?;
    let pooler = look_for_pooler(&mut conn, core).await?;
    if let Some(undeclared) = pooler.iter().find(|it| it.severity == Severity::Critical) {
        return Ok(vec![undeclared.clone()]); // whatever else is asked may be answered by another session
    }
    let server = doctor::server(&mut conn, &core.texts).await?;
    let mut findings = look_at_server(&server);
    findings.extend(pooler);
    let book = look_at_book(&mut conn, core, &server).await?;
    let goes_on = book.severity < Severity::Critical;
    findings.push(book);
    if goes_on {
        look_at_store(&mut conn, core, server.standby, &mut findings).await?;
    }
    Ok(findings)
}

/// Whether a pooler is in between.
async fn look_for_pooler(conn: &mut PgConnection, core: &Core) -> Result<Option<Finding>> {
    match &core.sessions {
        Sessions::Direct(_) => {
            return Ok(Some(Finding::ok("pooler", "a pooler, and a way past it for what needs a session")));
        }
        Sessions::Nowhere => {
            let problem = "a pooler, and no way past it: new events are found by polling";
            let fix = "`Pooler::transaction().direct_url(..)` says where PostgreSQL itself is";
            return Ok(Some(Finding::new("pooler", Severity::Info, problem, fix)));
        }
        Sessions::Pool => {}
    }
    if !core.lends_sessions(conn).await? {
        return Ok(None);
    }
    let problem = "a pooler in transaction mode is in between, and nobody declared it";
    let fix =
        "`Store::builder(url).pooler(Pooler::transaction().direct_url(..))`, or give this program the URL past it";
    Ok(Some(Finding::new("pooler", Severity::Critical, problem, fix)))
}

fn look_at_server(server: &Server) -> Vec<Finding> {
    let Server { user, database, version, .. } = server;
    let mut findings = vec![Finding::ok("connection", format!("connected to {database} as {user}"))];
    findings.push(if server.version_number < OLDEST {
        let fix = "move to PostgreSQL 14 or later";
        Finding::new("version", Severity::Critical, format!("PostgreSQL {version} is older than 14"), fix)
    } else if server.encoding != "UTF8" {
        let problem = format!("the database is encoded as {}", server.encoding);
        Finding::new("version", Severity::Critical, problem, "make the database with ENCODING 'UTF8'")
    } else if server.standby {
        let problem = format!("PostgreSQL {version}, a standby: it reads up to the mark that the primary published");
        Finding::new("version", Severity::Info, problem, "")
    } else {
        Finding::ok("version", format!("PostgreSQL {version}"))
    });
    findings
}

/// Whether the tables are there, and of this version.
async fn look_at_book(conn: &mut PgConnection, core: &Core, server: &Server) -> Result<Finding> {
    let schema = core.texts.schema();
    let sync = "`rillflow schema sync` makes what is missing";
    let critical = |problem: String, fix: &str| Ok(Finding::new("schema", Severity::Critical, problem, fix));
    match server.book_readable {
        _ if !server.schema_there => return critical(format!("there is no schema `{schema}`"), sync),
        None => return critical(format!("schema `{schema}` holds no store"), sync),
        Some(false) => {
            let problem = format!("{} may not read the tables of schema `{schema}`", server.user);
            return critical(problem, "grant it a role of the store");
        }
        Some(true) => {}
    }
    let applied = schema::applied(conn, &core.texts).await?;
    let missing: Vec<_> =
        MIGRATIONS.iter().filter(|it| !applied.contains(&it.0)).map(|it| format!("{:04}_{}", it.0, it.1)).collect();
    let newest = MIGRATIONS.iter().map(|it| it.0).max().unwrap_or(0);
    if !missing.is_empty() {
        return critical(format!("migrations are missing: {}", missing.join(", ")), sync);
    }
    if let Some(newer) = applied.iter().max().filter(|it| **it > newest) {
        let problem = format!("a newer rillflow has been here: migration {newer:04}, and this one knows {newest:04}");
        return Ok(Finding::new("schema", Severity::Warning, problem, "run the newer version here too"));
    }
    Ok(Finding::ok("schema", format!("`{schema}` has all {} migrations", MIGRATIONS.len())))
}

/// What a comparison of the catalog with what this program wants came to.
pub(crate) fn drift(plan: Result<SchemaPlan>) -> Finding {
    let plan = match plan {
        Ok(plan) => plan,
        Err(error) => {
            let problem = format!("cannot compare it with what this program wants: {error}");
            return Finding::new("drift", Severity::Info, problem, "ask as a role that may create schemas");
        }
    };
    let steps: Vec<_> = plan.steps.iter().map(|it| it.description.as_str()).collect();
    match steps.as_slice() {
        [] => Finding::ok("drift", "the catalog is as this program wants it"),
        [first, rest @ ..] => {
            let more = if rest.is_empty() { String::new() } else { format!(" and {} more", rest.len()) };
            let fix = "`rillflow schema plan` shows the steps, `rillflow schema sync` takes them";
            Finding::new("drift", Severity::Warning, format!("the catalog differs: {first}{more}"), fix)
        }
    }
}

async fn look_at_store(conn: &mut PgConnection, core: &Core, standby: bool, findings: &mut Vec<Finding>) -> Result<()> {
    let texts = &core.texts;
    let rights = doctor::privileges(conn, texts).await?;
    findings.push(match (rights.own, rights.append, rights.read) {
        (true, ..) => Finding::ok("role", "owns the store"),
        (_, true, _) => Finding::ok("role", "may read and append"),
        (_, _, true) => Finding::new("role", Severity::Info, "may read, and not append", ""),
        _ => Finding::new("role", Severity::Critical, "may not read the events", "grant it a role of the store"),
    });
    if !rights.read {
        return Ok(());
    }
    // who may not draw cannot see what was drawn
    if !standby && (rights.append || rights.own) {
        findings.push(look_at_sequence(core, doctor::sequence(conn, texts).await?));
    }
    let mark = doctor::mark(conn, texts).await?;
    let holders = doctor::holders(conn, texts, mark.drawn).await?;
    findings.push(look_at_mark(&mark, &holders));
    let projections = doctor::projections(conn, texts).await?;
    findings.extend(projections.iter().map(|it| look_at_projection(it, &mark)));
    for (registered, why) in inline::differing(conn, core, texts).await? {
        let fix =
            format!("start a daemon of the newest program, or `rillflow projections rebuild {}`", registered.name);
        findings.push(Finding::new("projection", Severity::Critical, why.to_string(), fix));
    }
    look_at_tables(conn, core, findings).await
}

fn look_at_sequence(core: &Core, it: Sequence) -> Finding {
    let schema = core.texts.schema();
    let critical = |problem: String, fix: String| Finding::new("sequence", Severity::Critical, problem, fix);
    if it.cache != 1 || it.increment != 1 || it.cycles {
        let problem = format!(
            "positions are handed out in blocks (cache {}, increment {}): readers miss events",
            it.cache, it.increment
        );
        return critical(
            problem,
            format!("ALTER SEQUENCE \"{schema}\".events_global_seq CACHE 1 INCREMENT 1 NO CYCLE"),
        );
    }
    if it.drawn < it.highest {
        let problem = format!("the sequence is at {}, and there are events up to {}", it.drawn, it.highest);
        return critical(
            problem,
            format!("SELECT setval('\"{schema}\".events_global_seq', {})", it.highest + 1_000_000),
        );
    }
    if !it.announces {
        let fix = format!("ALTER TABLE \"{schema}\".events ENABLE TRIGGER events_announce");
        return critical("the trigger that keeps other software's inserts in order is off".to_owned(), fix);
    }
    Finding::ok("sequence", format!("one position at a time, {} drawn", it.drawn))
}

fn look_at_mark(it: &Mark, holders: &[Holder]) -> Finding {
    if let Some(holder) = holders.iter().find(|holder| holder.announced <= it.mark).filter(|_| it.mark < it.drawn) {
        let passing = holder.prepared.is_none() && holder.transaction_seconds.is_some_and(|it| it < LONG_OPEN);
        let severity = if passing { Severity::Info } else { Severity::Warning };
        let problem = format!("at {} of {}, held by {}", it.mark, it.drawn, words(holder));
        return Finding::new("mark", severity, problem, release(holder));
    }
    if it.published < it.mark && it.published_seconds > UNPUBLISHED {
        let problem = format!(
            "at {}, published as {} {} ago: no process publishes it",
            it.mark,
            it.published,
            age(it.published_seconds)
        );
        return Finding::new("mark", Severity::Info, problem, "run a daemon, or append: standbys read up to it only");
    }
    Finding::ok("mark", format!("at {} of {}, nothing holds it", it.mark, it.drawn))
}

/// Who holds the mark, in a few words.
fn words(holder: &Holder) -> String {
    if let Some(gid) = &holder.prepared {
        let seconds = holder.transaction_seconds.unwrap_or(0.0);
        return format!("the prepared transaction `{gid}`, {} old", age(seconds));
    }
    let unknown = || "?".to_owned();
    let mut words = format!(
        "pid {} ({}, {}), {}, for {}",
        holder.pid.map_or_else(unknown, |it| it.to_string()),
        holder.application.as_deref().filter(|it| !it.is_empty()).unwrap_or("no application name"),
        holder.user.clone().unwrap_or_else(unknown),
        holder.state.clone().unwrap_or_else(unknown),
        holder.transaction_seconds.map_or_else(unknown, age),
    );
    if let Some(client) = &holder.client {
        words += &format!(", from {client}");
    }
    if let (Some(query), Some(seconds)) = (&holder.query, holder.query_seconds) {
        let query = query.split_whitespace().collect::<Vec<_>>().join(" ");
        words += &format!("; its last statement, {} ago: {query}", age(seconds));
    }
    words
}

fn release(holder: &Holder) -> String {
    match (&holder.prepared, holder.pid) {
        (Some(gid), _) => format!("COMMIT PREPARED '{0}' or ROLLBACK PREPARED '{0}'", gid.replace('\'', "''")),
        (None, Some(pid)) if holder.state.as_deref() == Some("idle in transaction") => {
            format!("its program has left a transaction open; SELECT pg_terminate_backend({pid}) ends it")
        }
        (None, Some(pid)) => format!("wait for it, or SELECT pg_cancel_backend({pid})"),
        (None, None) => String::new(),
    }
}

fn look_at_projection(it: &Behind, mark: &Mark) -> Finding {
    let behind = (mark.mark - it.position).max(0);
    let name = &it.name;
    let positions = if behind == 1 { "position" } else { "positions" };
    let problem =
        |why: &str| format!("`{name}` is {behind} {positions} behind ({} of {}): {why}", it.position, mark.mark);
    if let Some(error) = &it.error {
        let error = error.lines().next().unwrap_or_default();
        let fix = "mend its handler, or the event, and start it again";
        return Finding::new("projection", Severity::Critical, problem(&format!("it failed: {error}")), fix);
    }
    if behind == 0 {
        return Finding::ok("projection", format!("`{name}` is up to date at {}", it.position));
    }
    if it.status == "paused" {
        let fix = format!("`rillflow projections resume {name}`");
        return Finding::new("projection", Severity::Warning, problem("it is paused"), fix);
    }
    if !it.owned {
        let fix = "start a process that runs its daemon: `store.start_daemon()`";
        return Finding::new("projection", Severity::Warning, problem("no process runs it"), fix);
    }
    let why = format!("it works on it, and last moved {} ago", age(it.seconds));
    Finding::new("projection", Severity::Info, problem(&why), "")
}

async fn look_at_tables(conn: &mut PgConnection, core: &Core, findings: &mut Vec<Finding>) -> Result<()> {
    let (texts, schema) = (&core.texts, core.texts.schema());
    for it in doctor::indexes(conn, texts).await? {
        let (severity, problem, fix) = if it.valid {
            let problem = format!("{} of {} was never used, {} KiB", it.name, it.table, it.bytes / 1024);
            (Severity::Info, problem, "if no query is to come, remove its declaration".to_owned())
        } else {
            let fix = format!(
                "`rillflow schema sync` by the program that declares it, or REINDEX INDEX CONCURRENTLY \"{schema}\".\"{}\"",
                it.name
            );
            (Severity::Warning, format!("{} of {} is invalid: its build broke off", it.name, it.table), fix)
        };
        findings.push(Finding::new("index", severity, problem, fix));
    }
    for (subscriptions, what) in [(false, "projections"), (true, "subscriptions")] {
        for it in doctor::letters(conn, texts, subscriptions).await? {
            let problem = format!("{} of `{}`, the first at {}", events(it.number), it.of, it.first);
            let fix = format!("`rillflow {what} dlq-list {}`, then requeue or delete them", it.of);
            findings.push(Finding::new("dead-letters", Severity::Warning, problem, fix));
        }
    }
    let bloat = doctor::bloat(conn, texts).await?;
    let horizon = if bloat.is_empty() { None } else { doctor::horizon(conn, texts).await? };
    for it in bloat {
        let vacuumed =
            it.vacuumed_seconds.map_or_else(|| "never vacuumed".to_owned(), |s| format!("vacuumed {} ago", age(s)));
        let problem = format!("{} has {} live rows and {} dead ones, {vacuumed}", it.table, it.live, it.dead);
        let fix = match horizon.as_ref().filter(|it| it.seconds > LONG_SNAPSHOT) {
            Some(old) => format!(
                "pid {} ({}, {}) has kept VACUUM away for {}: end it",
                old.pid,
                old.application,
                old.state.as_deref().unwrap_or("?"),
                age(old.seconds)
            ),
            None => format!("VACUUM \"{schema}\".\"{}\"", it.table),
        };
        findings.push(Finding::new("bloat", Severity::Warning, problem, fix));
    }
    Ok(())
}

fn events(n: i64) -> String {
    if n == 1 { "1 event".to_owned() } else { format!("{n} events") }
}

/// Seconds, as people say them.
fn age(seconds: f64) -> String {
    let whole = Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or_default().as_secs();
    match whole {
        0..=119 => format!("{whole} s"),
        120..=7199 => format!("{} min", whole / 60),
        7200..=172_799 => format!("{} h", whole / 3600),
        _ => format!("{} days", whole / 86_400),
    }
}
