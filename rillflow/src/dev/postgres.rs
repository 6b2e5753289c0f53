//! The local server as a value: shared inside the process, let go on drop.

use std::path::Path;
use std::sync::{Arc, Weak};

use tokio::sync::Mutex;

use super::local::{self, Attachment, Kind};
use super::url;
use crate::{Error, Result};

/// A local PostgreSQL server that runs for as long as somebody uses it.
///
/// Clones share one registration; the server is let go when the last one is dropped. It listens on a Unix socket
/// that only this user can enter, and never on TCP.
///
/// ```no_run
/// # async fn example() -> rillflow::Result<()> {
/// let postgres = rillflow::dev::Postgres::shared().await?;
/// println!("PostgreSQL {} at {}", postgres.version(), postgres.url("postgres"));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Postgres {
    attachment: Arc<Attachment>,
}

impl Postgres {
    /// The throw-away server that all processes of this user share.
    ///
    /// It starts in 0.2 s (2 s the first time on a machine), survives no crash (`fsync` is off), and is stopped and
    /// deleted [`THROW_AWAY_GRACE`](super::THROW_AWAY_GRACE) after the last process that used it is gone.
    ///
    /// # Errors
    ///
    /// [`Error::Development`] says what was tried and what to do.
    pub async fn shared() -> Result<Self> {
        attach(Kind::ThrowAway).await
    }

    /// The server whose data are kept between runs, with `fsync` on.
    ///
    /// It is stopped [`PERSISTENT_GRACE`](super::PERSISTENT_GRACE) after its last user and its last client are gone.
    /// Each major version of PostgreSQL has a data folder of its own.
    ///
    /// # Errors
    ///
    /// [`Error::Development`] says what was tried and what to do.
    pub async fn persistent() -> Result<Self> {
        attach(Kind::Persistent).await
    }

    /// The URL of one of its databases; `postgres` is there from the start.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        url::of_socket(self.socket(), database)
    }

    /// The command line that opens a database in psql.
    #[must_use]
    pub fn psql(&self, database: &str) -> String {
        let (user, port) = (url::USER, url::PORT);
        let quoted = |path: &Path| quote(&path.to_string_lossy());
        format!(
            "{} -h {} -p {port} -U {user} {}",
            quoted(self.attachment.psql()),
            quoted(self.socket()),
            quote(database)
        )
    }

    /// The server's version, such as `17.2`.
    #[must_use]
    pub fn version(&self) -> &str {
        self.attachment.version()
    }

    /// The folder of its socket: the host to connect to.
    #[must_use]
    pub fn socket(&self) -> &Path {
        self.attachment.socket()
    }

    /// Its data folder.
    #[must_use]
    pub fn data(&self) -> &Path {
        self.attachment.data()
    }

    /// Its log file.
    #[must_use]
    pub fn log(&self) -> &Path {
        self.attachment.log()
    }

    /// True when the data outlive the server.
    #[must_use]
    pub fn is_persistent(&self) -> bool {
        self.attachment.kind() == Kind::Persistent
    }
}

/// What this process is attached to already, so that a thousand tests register once.
static ATTACHED: Mutex<Vec<Weak<Attachment>>> = Mutex::const_new(Vec::new());

async fn attach(kind: Kind) -> Result<Postgres> {
    let mut attached = ATTACHED.lock().await;
    attached.retain(|it| it.strong_count() > 0);
    let known: Vec<_> = attached.iter().filter_map(Weak::upgrade).filter(|it| it.kind() == kind).collect();
    let attachment = tokio::task::spawn_blocking(move || match known.into_iter().find(|it| it.is_up()) {
        Some(attachment) => Ok(attachment),
        None => local::attach(kind).map(Arc::new),
    });
    let attachment =
        attachment.await.map_err(|e| Error::Development(format!("starting PostgreSQL was interrupted: {e}")))??;
    let weak = Arc::downgrade(&attachment);
    if !attached.iter().any(|it| it.ptr_eq(&weak)) {
        attached.push(weak);
    }
    Ok(Postgres { attachment })
}

/// A word of a shell command line.
fn quote(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/-_.+:@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}
