//! A network between a store and its server that can cut connections and let nothing through.

use std::net::SocketAddr;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use sqlx::postgres::PgConnectOptions;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::{broadcast, watch};

pub(super) struct Proxy {
    /// The database, through here.
    pub(super) url: String,
    cut: broadcast::Sender<()>,
    stalled: watch::Sender<bool>,
    /// How many connections there were that nothing is heard of any more.
    silent: watch::Sender<usize>,
    accepted: Arc<AtomicUsize>,
    accepting: tokio::task::JoinHandle<()>,
}

/// A way to the server.
trait Way: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Way for T {}

impl Proxy {
    pub(super) async fn start(url: &str) -> Result<Self, Box<dyn std::error::Error>> {
        let server = PgConnectOptions::from_str(url)?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let (cut, _) = broadcast::channel(1);
        let (stalled, silent) = (watch::Sender::new(false), watch::Sender::new(0));
        let accepted = Arc::new(AtomicUsize::new(0));
        let url = through(&server, listener.local_addr()?);
        let accepting = tokio::spawn({
            let (cut, stalled, silent, accepted) = (cut.clone(), stalled.clone(), silent.clone(), accepted.clone());
            async move {
                while let Ok((client, _)) = listener.accept().await {
                    let Ok(server) = connect(&server).await else { continue };
                    let number = accepted.fetch_add(1, Ordering::Relaxed) + 1;
                    let way = Gates { number, stalled: stalled.subscribe(), silent: silent.subscribe() };
                    tokio::spawn(carry(client, server, cut.subscribe(), way));
                }
            }
        });
        Ok(Self { url, cut, stalled, silent, accepted, accepting })
    }

    /// Cuts every connection.
    pub(super) fn cut(&self) {
        // nobody listens when there is none
        let _none = self.cut.send(());
    }

    /// Nothing is heard any more of the connections there are, as of a server that lost its power; new ones work.
    pub(super) fn silence(&self) {
        self.silent.send_replace(self.accepted.load(Ordering::Relaxed));
    }

    /// Lets nothing through, or everything again.
    pub(super) fn stall(&self, stalled: bool) {
        self.stalled.send_replace(stalled);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

fn through(server: &PgConnectOptions, at: SocketAddr) -> String {
    let (user, database) = (server.get_username(), server.get_database().unwrap_or_default());
    format!("postgres://{user}:postgres@{at}/{database}?sslmode=disable")
}

async fn connect(server: &PgConnectOptions) -> std::io::Result<Box<dyn Way>> {
    let port = server.get_port();
    Ok(match server.get_socket() {
        Some(folder) => Box::new(UnixStream::connect(folder.join(format!(".s.PGSQL.{port}"))).await?),
        None => Box::new(TcpStream::connect((server.get_host(), port)).await?),
    })
}

/// What may hold up a connection.
#[derive(Clone)]
struct Gates {
    number: usize,
    stalled: watch::Receiver<bool>,
    silent: watch::Receiver<usize>,
}

impl Gates {
    /// Waits until something may pass; for ever, once it is silent.
    async fn open(&mut self) {
        // when the proxy is gone nothing passes either
        let _gone = self.stalled.wait_for(|stalled| !stalled).await.map(drop);
        if *self.silent.borrow() >= self.number {
            std::future::pending().await
        }
    }
}

async fn carry(client: TcpStream, server: Box<dyn Way>, mut cut: broadcast::Receiver<()>, gates: Gates) {
    let (client_read, client_write) = client.into_split();
    let (server_read, server_write) = tokio::io::split(server);
    tokio::select! {
        () = one_way(client_read, server_write, gates.clone()) => {}
        () = one_way(server_read, client_write, gates) => {}
        _cut = cut.recv() => {}
    }
}

async fn one_way(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin, mut gates: Gates) {
    let mut bytes = vec![0; 64 * 1024];
    while let Ok(count @ 1..) = from.read(&mut bytes).await {
        gates.open().await;
        if to.write_all(&bytes[..count]).await.is_err() {
            return;
        }
    }
}
