//! A network between a store and its server that can cut connections and let nothing through.

use std::net::SocketAddr;
use std::str::FromStr;

use sqlx::postgres::PgConnectOptions;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::{broadcast, watch};

pub(super) struct Proxy {
    /// The database, through here.
    pub(super) url: String,
    cut: broadcast::Sender<()>,
    stalled: watch::Sender<bool>,
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
        let stalled = watch::Sender::new(false);
        let url = through(&server, listener.local_addr()?);
        let accepting = tokio::spawn({
            let (cut, stalled) = (cut.clone(), stalled.clone());
            async move {
                while let Ok((client, _)) = listener.accept().await {
                    let Ok(server) = connect(&server).await else { continue };
                    tokio::spawn(carry(client, server, cut.subscribe(), stalled.subscribe()));
                }
            }
        });
        Ok(Self { url, cut, stalled, accepting })
    }

    /// Cuts every connection.
    pub(super) fn cut(&self) {
        // nobody listens when there is none
        let _none = self.cut.send(());
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

async fn carry(
    client: TcpStream,
    server: Box<dyn Way>,
    mut cut: broadcast::Receiver<()>,
    stalled: watch::Receiver<bool>,
) {
    let (client_read, client_write) = client.into_split();
    let (server_read, server_write) = tokio::io::split(server);
    tokio::select! {
        () = one_way(client_read, server_write, stalled.clone()) => {}
        () = one_way(server_read, client_write, stalled) => {}
        _cut = cut.recv() => {}
    }
}

async fn one_way(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut stalled: watch::Receiver<bool>,
) {
    let mut bytes = vec![0; 64 * 1024];
    while let Ok(count @ 1..) = from.read(&mut bytes).await {
        if stalled.wait_for(|stalled| !stalled).await.is_err() || to.write_all(&bytes[..count]).await.is_err() {
            return;
        }
    }
}
