//! A second process: this test binary once more, told by a variable what to do.

use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rillflow::dev::{Postgres, database_named};
use rillflow::testing::TestDatabase;
use rillflow::{Error, Result};
use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};

use crate::support::blocking_until;

const TASK: &str = "RILLFLOW_TEST_TASK";
const MARK: &str = "helper says ";

/// A temporary folder of its own, so that the server in it is not the one of all other tests.
pub(super) struct Folder {
    pub(super) path: PathBuf,
}

impl Folder {
    pub(super) fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("rillflow-test-{}-{name}", std::process::id()));
        fs::create_dir(&path).expect("a new folder");
        fs::set_permissions(&path, Permissions::from_mode(0o755)).expect("open to the server's account");
        Self { path }
    }

    pub(super) fn is_empty(&self) -> bool {
        fs::read_dir(&self.path).is_ok_and(|mut entries| entries.next().is_none())
    }

    pub(super) fn holds_only_data(&self) -> bool {
        let mut left = Vec::new();
        for major in fs::read_dir(self.path.join("rillflow")).into_iter().flatten().flatten() {
            left.extend(fs::read_dir(major.path()).into_iter().flatten().flatten().map(|it| it.file_name()));
        }
        // Without the `flock` program the empty lock file stays.
        left.iter().any(|it| it == "data") && left.iter().all(|it| it == "data" || it == "lock")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What a test of the persistent server leaves running has its process ids in here.
        for file in find(&self.path, &["nanny", "postmaster.pid"]) {
            let text = fs::read_to_string(file).unwrap_or_default();
            if let Some(pid) = text.lines().next().and_then(|line| line.trim().parse().ok()) {
                kill(pid);
            }
        }
        let _ = fs::remove_dir_all(&self.path);
    }
}

fn find(folder: &Path, names: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|it| it.is_dir()) {
            found.extend(find(&entry.path(), names));
        } else if names.iter().any(|name| entry.file_name() == *name) {
            found.push(entry.path());
        }
    }
    found.sort();
    found
}

/// A helper that was started.
pub(super) struct Helper {
    child: Child,
}

/// A helper that uses a server, and what it says about it.
pub(super) struct Ready {
    child: Child,
    pub(super) server: u32,
    pub(super) nanny: u32,
    pub(super) started_at: String,
    pub(super) url: String,
    pub(super) socket: PathBuf,
    pub(super) run: PathBuf,
    /// How many helpers counted themselves in this database.
    pub(super) runs: i64,
    /// The command line to look into it.
    pub(super) psql: String,
    /// Where it is, in words.
    pub(super) place: String,
}

impl Helper {
    pub(super) fn start(task: &str, folder: &Folder) -> Self {
        Self::start_in(task, folder, &[])
    }

    pub(super) fn start_with(task: &str, folder: &Folder, variables: &[(&str, &Folder)]) -> Self {
        let variables: Vec<_> = variables.iter().map(|(name, it)| (*name, it.path.to_str().expect("UTF-8"))).collect();
        Self::start_in(task, folder, &variables)
    }

    pub(super) fn start_in(task: &str, folder: &Folder, variables: &[(&str, &str)]) -> Self {
        let mut command = Command::new(std::env::current_exe().expect("this test binary"));
        command.args(["--exact", "dev_postgres::helper::this_is_the_second_process", "--nocapture"]);
        command.env_remove("DATABASE_URL").env_remove("RILLFLOW_TEST_BACKEND");
        command.env(TASK, task).env("TMPDIR", &folder.path).env("XDG_DATA_HOME", &folder.path);
        command.envs(variables.iter().copied());
        let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
        Self { child: child.expect("this test binary runs") }
    }

    pub(super) fn expect_ready(mut self) -> Ready {
        let said = self.listen();
        assert!(said["error"].is_null(), "{}", said["error"].as_str().unwrap_or_default());
        let number = |key: &str| said[key].as_i64().unwrap_or_default();
        let text = |key: &str| said[key].as_str().unwrap_or_default().to_owned();
        let pid = |key: &str| u32::try_from(number(key)).expect("a process id");
        Ready {
            child: self.child,
            server: pid("server"),
            nanny: pid("nanny"),
            started_at: text("started_at"),
            url: text("url"),
            socket: text("socket").into(),
            run: text("run").into(),
            runs: number("runs"),
            psql: text("psql"),
            place: text("place"),
        }
    }

    pub(super) fn expect_error(mut self) -> String {
        let said = self.listen();
        let _ = self.child.wait();
        said["error"].as_str().unwrap_or_else(|| panic!("no error, but {said}")).to_owned()
    }

    fn listen(&mut self) -> Value {
        let lines = BufReader::new(self.child.stdout.take().expect("a pipe")).lines();
        let mut texts = lines.map_while(std::result::Result::ok);
        let said = texts.find_map(|line| line.split_once(MARK).map(|(_, said)| said.to_owned()));
        serde_json::from_str(&said.expect("the helper says something")).expect("JSON")
    }
}

impl Ready {
    /// As `kill -9` does it.
    pub(super) fn kill(mut self) {
        self.child.kill().expect("killed");
        self.child.wait().expect("gone");
    }
}

impl Drop for Ready {
    fn drop(&mut self) {
        // The helper ends by itself when its standard input does.
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

/// Does nothing unless another test started this binary to be its second process.
#[tokio::test]
async fn this_is_the_second_process() {
    let Ok(task) = std::env::var(TASK) else { return };
    let result = match &*task {
        "shared" => shared().await,
        "persistent" => persistent().await,
        _ => TestDatabase::create().await.map(|it| (None, json!({"url": it.url()}))),
    };
    let (server, said) = match result {
        Ok((server, said)) => (server, said),
        Err(error) => (None, json!({"error": error.to_string()})),
    };
    println!("{MARK}{said}");
    if said["error"].is_null() {
        let _ = tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new())).await;
    }
    drop(server);
}

async fn shared() -> Result<(Option<Postgres>, Value)> {
    let server = Postgres::shared().await?;
    let said = describe(&server, &server.url("postgres"), 0).await?;
    Ok((Some(server), said))
}

async fn persistent() -> Result<(Option<Postgres>, Value)> {
    let database = database_named("it's a \"name\"").await?;
    let server = database.server().expect("a local server").clone();
    let mut conn = PgConnection::connect(database.url()).await.map_err(Error::Database)?;
    sqlx::raw_sql("CREATE TABLE IF NOT EXISTS runs (id int); INSERT INTO runs VALUES (1)")
        .execute(&mut conn)
        .await
        .map_err(Error::Database)?;
    let runs = sqlx::query_scalar("SELECT count(*) FROM runs").fetch_one(&mut conn).await.map_err(Error::Database)?;
    conn.close().await.map_err(Error::Database)?;
    let mut said = describe(&server, database.url(), runs).await?;
    said["psql"] = database.psql().into();
    said["place"] = database.to_string().into();
    Ok((Some(server), said))
}

async fn describe(server: &Postgres, url: &str, runs: i64) -> Result<Value> {
    let mut conn = PgConnection::connect(url).await.map_err(Error::Database)?;
    let query = sqlx::query_scalar("SELECT pg_postmaster_start_time()::text");
    let started_at: String = query.fetch_one(&mut conn).await.map_err(Error::Database)?;
    let run = server.log().parent().expect("the run folder");
    let first = |path: PathBuf| {
        let text = fs::read_to_string(path).unwrap_or_default();
        text.lines().next().and_then(|line| line.trim().parse::<u32>().ok())
    };
    Ok(json!({
        "server": first(server.data().join("postmaster.pid")), "nanny": first(run.join("nanny")),
        "started_at": started_at, "url": url, "socket": server.socket(), "run": run, "runs": runs,
    }))
}

pub(super) fn kill(pid: u32) {
    let killed = Command::new("/bin/sh").args(["-c", &format!("kill -9 {pid}")]).stderr(Stdio::null()).status();
    killed.expect("/bin/sh runs");
    blocking_until("a killed process is gone", || !is_alive(pid));
}

pub(super) fn is_alive(pid: u32) -> bool {
    let state = Command::new("/bin/sh").args(["-c", &format!("kill -0 {pid}")]).stderr(Stdio::null()).status();
    let zombie = fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|it| it.contains(") Z "));
    state.is_ok_and(|it| it.success()) && !zombie
}

pub(super) fn own_uid() -> u32 {
    let probe = std::env::temp_dir().join(format!("rillflow-test-{}-probe", std::process::id()));
    fs::write(&probe, "").expect("a file");
    let uid = fs::metadata(&probe).expect("its owner").uid();
    fs::remove_file(&probe).expect("removed");
    uid
}
