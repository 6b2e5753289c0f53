//! A network between a client and PostgreSQL that cuts connections and holds bytes back.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use sqlx::postgres::PgConnectOptions;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Whether bytes are held back: of connections from now on last, before it of those that went silent.
type Stalled = Mutex<Vec<watch::Sender<bool>>>;

/// A TCP proxy; its connections end with it.
pub(crate) struct Proxy {
    url: String,
    cut: watch::Sender<usize>,
    stalled: Arc<Stalled>,
    connections: Arc<AtomicUsize>,
    accepting: JoinHandle<()>,
}

impl Proxy {
    pub(crate) async fn start(url: &str) -> Result<Self, Box<dyn std::error::Error>> {
        let options: PgConnectOptions = url.parse()?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let (user, port) = (options.get_username(), listener.local_addr()?.port());
        let database = options.get_database().unwrap_or_default();
        let url = format!("postgres://{user}@127.0.0.1:{port}/{database}?sslmode=disable");
        let (cut, stalled) = (watch::Sender::new(0), Arc::new(Mutex::new(vec![watch::Sender::new(false)])));
        let connections = Arc::new(AtomicUsize::new(0));
        let accepting = tokio::spawn(accept(listener, options, cut.subscribe(), stalled.clone(), connections.clone()));
        Ok(Self { url, cut, stalled, connections, accepting })
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Cuts every connection.
    pub(crate) fn cut(&self) {
        self.cut.send_modify(|it| *it += 1);
    }

    /// Holds every byte back; connections stay open.
    pub(crate) fn stall(&self) {
        self.hold(true);
    }

    fn hold(&self, back: bool) {
        let stalled = self.stalled.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(it) = stalled.last() {
            it.send_replace(back);
        }
    }

    /// Nothing is heard any more of the connections there are, as of a server that lost its power; new ones work.
    pub(crate) fn silence(&self) {
        self.hold(true);
        self.stalled.lock().unwrap_or_else(PoisonError::into_inner).push(watch::Sender::new(false));
    }

    pub(crate) fn flow(&self) {
        self.hold(false);
    }

    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
        self.cut();
    }
}

async fn accept(
    listener: TcpListener,
    to: PgConnectOptions,
    cut: watch::Receiver<usize>,
    stalled: Arc<Stalled>,
    connections: Arc<AtomicUsize>,
) {
    while let Ok((client, _)) = listener.accept().await {
        connections.fetch_add(1, Ordering::Relaxed);
        let held = stalled.lock().unwrap_or_else(PoisonError::into_inner).last().map(watch::Sender::subscribe);
        let Some(stalled) = held else { return };
        let (to, mut cut) = (to.clone(), cut.clone());
        cut.mark_unchanged();
        tokio::spawn(async move {
            let through = async {
                match to.get_socket() {
                    Some(folder) => {
                        let socket = folder.join(format!(".s.PGSQL.{}", to.get_port()));
                        pass(client, UnixStream::connect(socket).await?, stalled).await
                    }
                    None => pass(client, TcpStream::connect((to.get_host(), to.get_port())).await?, stalled).await,
                }
            };
            tokio::select! {
                _ended = through => {}
                _cut = cut.changed() => {}
            }
        });
    }
}

async fn pass<S: AsyncRead + AsyncWrite>(
    client: TcpStream,
    server: S,
    stalled: watch::Receiver<bool>,
) -> std::io::Result<()> {
    let (from_client, to_client) = tokio::io::split(client);
    let (from_server, to_server) = tokio::io::split(server);
    tokio::select! {
        ended = copy(from_client, to_server, stalled.clone()) => ended,
        ended = copy(from_server, to_client, stalled) => ended,
    }
}

async fn copy(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut stalled: watch::Receiver<bool>,
) -> std::io::Result<()> {
    let mut bytes = vec![0; 1 << 14];
    loop {
        let count = from.read(&mut bytes).await?;
        if count == 0 {
            return Ok(());
        }
        if stalled.wait_for(|it| !it).await.is_err() {
            return Ok(());
        }
        to.write_all(&bytes[..count]).await?;
    }
}
