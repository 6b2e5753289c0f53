//! A PgBouncer in transaction mode, in front of the tests' server, where this machine has one: `pgbouncer` on the path, or
//! the program that `RILLFLOW_PGBOUNCER` names.

use std::io::ErrorKind;
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::str::FromStr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection};

/// Ends the pooler and removes its folder once our end of its standard input is closed, whatever closed it.
const NANNY: &str = r#""$2" -q "$1/pgbouncer.ini" </dev/null >/dev/null 2>&1 & pid=$!
cat >/dev/null
kill -KILL "$pid"
wait "$pid"
rm -rf "$1""#;

/// A running pooler; it ends with its value.
pub(super) struct Bouncer {
    nanny: Child,
    input: Option<ChildStdin>,
    folder: PathBuf,
    user: String,
    keeps_statements: bool,
}

/// How many prepared statements a pooler keeps that is able to: more than a connection of ours does.
const KEPT: &str = "max_prepared_statements = 200";

impl Bouncer {
    /// In front of the server of `url`, with so many servers for each database. `None`, with the reason printed, where
    /// this machine has no `pgbouncer`.
    pub(super) async fn start(url: &str, servers: u32, more: &str) -> Result<Option<Self>, Box<dyn std::error::Error>> {
        let program = std::env::var("RILLFLOW_PGBOUNCER").unwrap_or_else(|_| "pgbouncer".to_owned());
        let keeps_statements = match Command::new(&program).arg("--version").output() {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                println!("skipped: there is no `{program}` on this machine (apt-get install pgbouncer)");
                return Ok(None);
            }
            found => is_able_to_keep(&String::from_utf8_lossy(&found?.stdout)),
        };
        let behind = PgConnectOptions::from_str(url)?;
        let Some(socket) = behind.get_socket() else {
            println!("skipped: the tests' server is not on a Unix socket");
            return Ok(None);
        };
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("rillflow-pooler-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir(&folder)?;
        let settings = format!(
            "[databases]\n* = host={} port={} user={}\n[pgbouncer]\nlisten_addr =\nlisten_port = 6432\n\
             unix_socket_dir = {}\nauth_type = any\npool_mode = transaction\ndefault_pool_size = {servers}\n\
             max_client_conn = 500\n{}\n{more}\n",
            socket.display(),
            behind.get_port(),
            behind.get_username(),
            folder.display(),
            if keeps_statements { KEPT } else { "" },
        );
        std::fs::write(folder.join("pgbouncer.ini"), settings)?;
        let mut nanny = Command::new("/bin/sh");
        nanny.args(["-c", NANNY, "sh"]).arg(&folder).arg(&program).current_dir("/").process_group(0);
        // as whoever runs PostgreSQL: root it refuses to be
        let owner = std::fs::metadata(socket)?;
        if std::fs::metadata(&folder)?.uid() != owner.uid() {
            chown(&folder, Some(owner.uid()), Some(owner.gid()))?;
            nanny.uid(owner.uid()).gid(owner.gid());
        }
        let mut nanny = nanny.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        let input = nanny.stdin.take();
        let bouncer = Self { nanny, input, folder, user: behind.get_username().to_owned(), keeps_statements };
        bouncer.until_it_listens(url).await?;
        Ok(Some(bouncer))
    }

    /// Whether it keeps prepared statements, as PgBouncer 1.21 and later do.
    pub(super) fn keeps_statements(&self) -> bool {
        self.keeps_statements
    }

    async fn until_it_listens(&self, url: &str) -> Result<(), Box<dyn std::error::Error>> {
        let database = PgConnectOptions::from_str(url)?.get_database().unwrap_or_default().to_owned();
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            let options = PgConnectOptions::from_str(&self.url(&database))?.extra_float_digits(None);
            match PgConnection::connect_with(&options).await {
                Ok(conn) => return Ok(conn.close().await?),
                Err(error) if Instant::now() > deadline => return Err(error.into()),
                Err(_not_yet) => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        }
    }

    /// The URL of a database through the pooler.
    pub(super) fn url(&self, database: &str) -> String {
        let (folder, user) = (self.folder.display(), &self.user);
        format!("postgres:///{database}?host={folder}&port=6432&user={user}&sslmode=disable")
    }
}

/// Reads the answer of `pgbouncer --version`.
fn is_able_to_keep(version: &str) -> bool {
    let number = version.split_whitespace().nth(1).unwrap_or_default();
    let mut parts = number.split('.').map_while(|it| it.parse::<u32>().ok());
    (parts.next(), parts.next()) >= (Some(1), Some(21))
}

impl Drop for Bouncer {
    fn drop(&mut self) {
        drop(self.input.take());
        let _ended = self.nanny.wait();
    }
}
