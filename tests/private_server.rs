//! A PostgreSQL of one test's own: settings as it likes, and nobody else minds when it is killed.
//!
//! Durable (`fsync` is on), on a Unix socket, gone with its value, and gone as well when the test process is killed.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use rillflow::dev::Postgres;
use sqlx::{AssertSqlSafe, Connection, PgConnection};

use crate::Failure;
use crate::waiting::SOON;

const PAUSE: Duration = Duration::from_millis(5);

/// Ends the server and removes its folder once our end of its standard input is closed, whatever closed it.
const NANNY: &str = r#"cat >/dev/null
pid=$(head -n 1 "$1/data/postmaster.pid" 2>/dev/null) && kill -QUIT "$pid" 2>/dev/null &&
    for _ in 1 2 3 4 5 6 7 8 9; do kill -0 "$pid" 2>/dev/null || break; sleep 0.2; done
rm -rf "$1""#;

/// A running server, or one that was killed and can be started again.
#[derive(Debug)]
pub struct PrivateServer {
    programs: Programs,
    folder: PathBuf,
    settings: Vec<String>,
    postmaster: Option<Child>,
    nanny: Child,
    nannys_input: Option<ChildStdin>,
}

/// PostgreSQL's programs on this machine, and who runs them.
#[derive(Clone, Debug)]
struct Programs {
    folder: PathBuf,
    /// As root, the account that PostgreSQL runs as.
    account: Option<(u32, u32)>,
}

impl PrivateServer {
    /// Makes and starts one. `None`, with the reason printed, where this machine has no PostgreSQL of its own.
    ///
    /// # Errors
    ///
    /// When its programs fail.
    pub async fn start(settings: &[&str]) -> Result<Option<Self>, Failure> {
        let Some(programs) = Programs::find().await? else { return Ok(None) };
        let mut server = Self::in_new_folder(programs, settings)?;
        let options = ["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"];
        server.programs.run("initdb", ["-D".as_ref(), server.data().as_os_str()], &options)?;
        server.start_again()?;
        Ok(Some(server))
    }

    /// A hot standby that streams from this server. `None`, with the reason printed, without `pg_basebackup`.
    ///
    /// # Errors
    ///
    /// When its programs fail.
    pub fn standby(&self) -> Result<Option<Self>, Failure> {
        if !self.programs.folder.join("pg_basebackup").is_file() {
            eprintln!("skipped: there is no pg_basebackup in {}", self.programs.folder.display());
            return Ok(None);
        }
        let mut standby = Self::in_new_folder(self.programs.clone(), &[])?;
        standby.settings.clone_from(&self.settings);
        let data = standby.data();
        let places = ["-D".as_ref(), data.as_os_str(), "-h".as_ref(), self.folder.as_os_str()];
        let options = ["-p", "5432", "-U", "postgres", "-R", "-X", "stream", "--checkpoint=fast", "--no-sync"];
        self.programs.run("pg_basebackup", places, &options)?;
        standby.start_again()?;
        Ok(Some(standby))
    }

    fn in_new_folder(programs: Programs, settings: &[&str]) -> Result<Self, Failure> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("rillflow-private-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let folder = std::env::temp_dir().join(name);
        fs::create_dir(&folder)?;
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o700))?;
        if let Some((uid, gid)) = programs.account {
            std::os::unix::fs::chown(&folder, Some(uid), Some(gid))?;
        }
        let mut nanny = Command::new("/bin/sh");
        nanny.args(["-c", NANNY, "sh"]).arg(&folder).current_dir("/").process_group(0);
        let mut nanny = nanny.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        let nannys_input = nanny.stdin.take();
        let settings = settings.iter().map(|&it| it.to_owned()).collect();
        Ok(Self { programs, folder, settings, postmaster: None, nanny, nannys_input })
    }

    /// The URL of one of its databases; `postgres` is there from the start.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        let host = self.folder.display();
        format!("postgres:///{database}?host={host}&port=5432&user=postgres&sslmode=disable")
    }

    /// Makes an empty database, and returns its URL.
    ///
    /// # Errors
    ///
    /// When the server does not.
    pub async fn create_database(&self, name: &str) -> Result<String, Failure> {
        let mut conn = PgConnection::connect(&self.url("postgres")).await?;
        sqlx::raw_sql(AssertSqlSafe(format!("CREATE DATABASE {name}"))).execute(&mut conn).await?;
        conn.close().await?;
        Ok(self.url(name))
    }

    /// Starts it again after [`kill`](Self::kill), recovery included.
    ///
    /// # Errors
    ///
    /// With its last words when it does not get ready.
    pub fn start_again(&mut self) -> Result<(), Failure> {
        let log = File::options().create(true).append(true).open(self.folder.join("server.log"))?;
        let mut command = self.programs.command("postgres");
        command.arg("-D").arg(self.data()).arg("-k").arg(&self.folder).args(["-p", "5432"]);
        for setting in ["listen_addresses=", "fsync=on"].into_iter().chain(self.settings.iter().map(String::as_str)) {
            command.args(["-c", setting]);
        }
        // a group of its own, so that Ctrl-C reaches us first
        let postmaster = command.process_group(0).stdout(log.try_clone()?).stderr(log).spawn()?;
        let pid = postmaster.id().to_string();
        self.postmaster = Some(postmaster);
        let since = Instant::now();
        while since.elapsed() < SOON {
            let state = fs::read_to_string(self.data().join("postmaster.pid")).unwrap_or_default();
            let mut lines = state.lines().map(str::trim);
            if lines.next() == Some(&*pid) && lines.nth(6) == Some("ready") {
                return Ok(());
            }
            if self.postmaster.as_mut().is_some_and(|it| !matches!(it.try_wait(), Ok(None))) {
                break;
            }
            std::thread::sleep(PAUSE);
        }
        Err(format!("the private server did not start:\n{}", self.last_words()).into())
    }

    /// Kills the server with all its processes, as a crash of the machine would, and waits until none is left.
    ///
    /// # Errors
    ///
    /// When one is still there after a while.
    pub fn kill(&mut self) -> Result<(), Failure> {
        let Some(mut postmaster) = self.postmaster.take() else { return Ok(()) };
        // stopped first, so that it starts no process while we count them
        signal("STOP", &[postmaster.id()]);
        let children = children_of(postmaster.id());
        signal("KILL", &[&[postmaster.id()], &*children].concat());
        postmaster.wait()?;
        let since = Instant::now();
        // a child that is left keeps the shared memory, and the server would refuse to start
        while children.iter().any(|&pid| parent_of(pid).is_some()) {
            if since.elapsed() > SOON {
                return Err("a killed process of the server is still there".into());
            }
            std::thread::sleep(PAUSE);
        }
        Ok(())
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    fn last_words(&self) -> String {
        let log = fs::read_to_string(self.folder.join("server.log")).unwrap_or_default();
        let lines: Vec<_> = log.lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }
}

impl Drop for PrivateServer {
    fn drop(&mut self) {
        // nothing of it is worth an orderly shutdown; an error leaves the rest to the nanny
        if let Some(mut postmaster) = self.postmaster.take() {
            signal("QUIT", &[postmaster.id()]);
            let _ = postmaster.wait();
        }
        if let Some(mut input) = self.nannys_input.take() {
            let _ = input.flush();
        }
        let _ = self.nanny.wait();
    }
}

impl Programs {
    /// Where the development server's programs are, by its own account.
    async fn find() -> Result<Option<Self>, Failure> {
        let development = match Postgres::shared().await {
            Ok(server) => server,
            Err(error) => {
                eprintln!("skipped: this needs PostgreSQL's programs on this machine: {error}");
                return Ok(None);
            }
        };
        let mut conn = PgConnection::connect(&development.url("postgres")).await?;
        let bindir = "SELECT setting FROM pg_config() WHERE name = 'BINDIR'";
        let folder: String = sqlx::query_scalar(bindir).fetch_one(&mut conn).await?;
        conn.close().await?;
        let owner = fs::metadata(development.data())?;
        // without `/proc` we are taken for the owner, which is so for everybody but root
        let other = fs::metadata("/proc/self").is_ok_and(|ourselves| ourselves.uid() != owner.uid());
        Ok(Some(Self { folder: folder.into(), account: other.then_some((owner.uid(), owner.gid())) }))
    }

    fn command(&self, name: &str) -> Command {
        let mut command = Command::new(self.folder.join(name));
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.as_encoded_bytes().starts_with(b"PG")) {
            command.env_remove(name);
        }
        if let Some((uid, gid)) = self.account {
            command.uid(uid).gid(gid);
        }
        command.env("LC_ALL", "C").current_dir("/").stdin(Stdio::null());
        command
    }

    fn run<'a>(
        &self,
        name: &str,
        places: impl IntoIterator<Item = &'a std::ffi::OsStr>,
        options: &[&str],
    ) -> Result<(), Failure> {
        let output = self.command(name).args(places).args(options).output()?;
        if output.status.success() {
            return Ok(());
        }
        Err(format!("{name} failed: {}", String::from_utf8_lossy(&output.stderr)).into())
    }
}

/// Sends a signal by name. A process that is gone already is no error.
fn signal(name: &str, pids: &[u32]) {
    let mut kill = Command::new("/bin/sh");
    kill.args(["-c", r#"kill "$@""#, "sh", &format!("-{name}")]).args(pids.iter().map(u32::to_string));
    let _ = kill.stderr(Stdio::null()).status();
}

fn children_of(parent: u32) -> Vec<u32> {
    let all = fs::read_dir("/proc").map(|it| it.flatten().filter_map(|it| it.file_name().to_str()?.parse().ok()));
    all.map(|all| all.filter(|&pid| parent_of(pid) == Some(parent)).collect()).unwrap_or_default()
}

/// The parent of a process that is alive; `None` for a zombie, and where there is no `/proc`: then the children of a
/// killed postmaster are waited for by the server that starts next.
fn parent_of(pid: u32) -> Option<u32> {
    let stat = fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("stat")).ok()?;
    // the second field is the program's name in parentheses, which may hold spaces and parentheses
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let state = fields.next()?;
    let parent = fields.next()?.parse().ok()?;
    (state != "Z").then_some(parent)
}
