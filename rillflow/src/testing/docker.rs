//! The tests' PostgreSQL in a container, one per test process.

use std::time::{Duration, Instant};

use sqlx::{Connection, PgConnection};
use testcontainers::core::{ContainerPort, WaitFor};
use testcontainers::runners::AsyncRunner;
use testcontainers::{GenericImage, ImageExt};
use tokio::sync::OnceCell;

use crate::{Error, Result, dev};

const IMAGE_VARIABLE: &str = "RILLFLOW_TEST_IMAGE";
const DEFAULT_IMAGE: &str = "postgres:16-alpine";
const PORT: u16 = 5432;

/// How long PostgreSQL may take to accept connections in its container.
const READY_TIMEOUT: Duration = Duration::from_secs(60);

/// What PostgreSQL logs when it is up.
const READY: &str = "database system is ready to accept connections";

const SERVER: [&str; 9] = [
    "postgres",
    "-c",
    "fsync=off",
    "-c",
    "synchronous_commit=off",
    "-c",
    "full_page_writes=off",
    "-c",
    "max_connections=300",
];

/// The URL of this process' container, started at the first call.
pub(super) async fn url() -> Result<String> {
    static URL: OnceCell<String> = OnceCell::const_new();
    URL.get_or_try_init(start).await.cloned()
}

async fn start() -> Result<String> {
    let image = std::env::var(IMAGE_VARIABLE).unwrap_or_else(|_| DEFAULT_IMAGE.to_owned());
    let failed = |e: testcontainers::TestcontainersError| {
        Error::Development(format!(
            "no PostgreSQL in a container of `{image}`: {e}; is Docker running, and may this user use it?"
        ))
    };
    let (name, tag) = name_and_tag(&image);
    let container = GenericImage::new(name, tag)
        .with_exposed_port(ContainerPort::Tcp(PORT))
        .with_wait_for(WaitFor::message_on_stderr(READY))
        .with_env_var("POSTGRES_PASSWORD", "postgres")
        .with_env_var("POSTGRES_HOST_AUTH_METHOD", "trust")
        .with_cmd(SERVER)
        .start()
        .await
        .map_err(failed)?;
    let host = container.get_host().await.map_err(failed)?;
    let port = container.get_host_port_ipv4(PORT).await.map_err(failed)?;
    let url = format!("postgres://postgres:postgres@{host}:{port}/postgres");
    wait_until_ready(&url).await?;
    dev::remove_container_after_us(container.id())?;
    // From here on it is the nanny who removes it: no value lives as long as the process and is dropped at its end.
    std::mem::forget(container);
    Ok(url)
}

/// The official image logs that it is ready twice: once while it sets itself up, deaf to TCP.
async fn wait_until_ready(url: &str) -> Result<()> {
    let since = Instant::now();
    loop {
        match PgConnection::connect(url).await {
            Ok(conn) => return conn.close().await.map_err(Error::Database),
            Err(error) if since.elapsed() > READY_TIMEOUT => {
                return Err(Error::Development(format!("PostgreSQL in its container does not answer: {error}")));
            }
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}

/// `host:5000/name:tag`: the tag follows the last colon, unless that belongs to the host's port.
fn name_and_tag(image: &str) -> (&str, &str) {
    match image.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => (name, tag),
        _ => (image, "latest"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_may_come_with_a_port_and_without_a_tag() {
        assert_eq!(name_and_tag("postgres:16-alpine"), ("postgres", "16-alpine"));
        assert_eq!(name_and_tag("host:5000/pg"), ("host:5000/pg", "latest"));
        assert_eq!(name_and_tag("host:5000/pg:17"), ("host:5000/pg", "17"));
    }
}
