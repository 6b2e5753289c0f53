//! The development PostgreSQL, as its processes see it, and the test databases.

mod helper;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use helper::{Folder, Helper, kill};
use rillflow::dev::THROW_AWAY_GRACE;
use rillflow::testing::TestDatabase;
use rillflow::{Error, Result};
use sqlx::{Connection, PgConnection};

use crate::support::{blocking_until, until};

#[test]
fn a_second_process_uses_the_same_server() {
    let folder = Folder::new("second");
    let one = Helper::start("shared", &folder).expect_ready();
    let two = Helper::start("shared", &folder).expect_ready();

    assert_eq!(one.server, two.server);
    assert_eq!(one.started_at, two.started_at);
}

#[test]
fn nothing_is_left_some_seconds_after_the_last_user_was_killed() {
    let folder = Folder::new("killed");
    let one = Helper::start("shared", &folder).expect_ready();
    let two = Helper::start("shared", &folder).expect_ready();
    let server = one.server;
    drop(one);
    std::thread::sleep(THROW_AWAY_GRACE + Duration::from_secs(2)); // it would be gone by then
    assert!(helper::is_alive(server), "the second process still uses it");

    two.kill();

    blocking_until("server and folder are gone", || !helper::is_alive(server) && folder.is_empty());
}

#[test]
fn many_processes_on_a_cold_machine_start_one_server() {
    let folder = Folder::new("cold");
    let cache = Folder::new("cold-cache");
    let helpers: Vec<_> =
        (0..10).map(|_| Helper::start_with("shared", &folder, &[("XDG_CACHE_HOME", &cache)])).collect();
    let servers: Vec<_> = helpers.into_iter().map(Helper::expect_ready).collect();

    assert!(servers.iter().all(|it| it.server == servers[0].server && it.started_at == servers[0].started_at));
}

#[test]
fn a_server_that_was_killed_is_started_again() {
    let folder = Folder::new("crashed");
    let one = Helper::start("shared", &folder).expect_ready();
    kill(one.server);

    let two = Helper::start("shared", &folder).expect_ready();

    assert_ne!(one.started_at, two.started_at);
}

#[test]
fn a_nanny_that_was_killed_is_replaced() {
    let folder = Folder::new("nanny");
    let one = Helper::start("shared", &folder).expect_ready();
    kill(one.nanny);
    let two = Helper::start("shared", &folder).expect_ready();
    assert_ne!(one.nanny, two.nanny);
    let server = two.server;
    assert_eq!(one.server, server);

    one.kill();
    two.kill();

    blocking_until("server and folder are gone", || !helper::is_alive(server) && folder.is_empty());
}

#[test]
fn what_a_killed_closing_nanny_left_is_cleaned_up() {
    let folder = Folder::new("half-closed");
    let one = Helper::start("shared", &folder).expect_ready();
    let (server, nanny, run) = (one.server, one.nanny, one.run.clone());
    one.kill();
    kill(nanny);
    fs::remove_dir_all(run.join("users")).expect("the folder of users");

    let two = Helper::start("shared", &folder).expect_ready();

    assert!(!helper::is_alive(server));
    assert_ne!(server, two.server);
}

#[test]
fn the_persistent_server_keeps_its_data_even_when_everything_is_killed() {
    let folder = Folder::new("persistent");
    let one = Helper::start("persistent", &folder).expect_ready();
    assert_eq!(one.runs, 1);
    let (server, nanny) = (one.server, one.nanny);
    one.kill();
    kill(nanny);
    kill(server);

    let two = Helper::start("persistent", &folder).expect_ready();

    assert_eq!(two.runs, 2);
    assert_ne!(two.server, server);
}

#[test]
fn the_persistent_server_stays_while_a_client_is_connected() {
    let folder = Folder::new("client");
    let one = Helper::start_in("persistent", &folder, &[("RILLFLOW_PG_GRACE", "1")]).expect_ready();
    let (server, url) = (one.server, one.url.clone());
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let client = runtime.block_on(PgConnection::connect(&url)).expect("a client");
    one.kill();

    std::thread::sleep(Duration::from_secs(4)); // it would be stopped by then
    assert!(helper::is_alive(server), "somebody looks into it");
    runtime.block_on(client.close()).expect("the client leaves");

    blocking_until("the server is stopped", || !helper::is_alive(server));
    blocking_until("only the data are left", || folder.holds_only_data());
}

#[test]
fn the_psql_line_opens_the_database() {
    let folder = Folder::new("psql");
    let helper = Helper::start("persistent", &folder).expect_ready();
    assert!(helper.place.contains("data kept in"), "{}", helper.place);

    let line = format!("{} -Atc 'SELECT count(*) FROM runs'", helper.psql);
    let output = Command::new("/bin/sh").args(["-c", &line]).output().expect("/bin/sh runs");

    if output.status.code() == Some(127) {
        return eprintln!("skipped: this machine has no psql");
    }
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "1", "{line}");
}

#[test]
fn a_wrong_choice_of_postgresql_is_explained() {
    let folder = Folder::new("wrong");
    let text = Helper::start_with("shared", &folder, &[("RILLFLOW_PG_BIN", &folder)]).expect_error();

    assert!(text.starts_with("RILLFLOW_PG_BIN="), "{text}");
    assert!(text.contains("/postgres; set it to the folder with `postgres` and `initdb`, or unset it"), "{text}");
}

#[test]
fn a_folder_that_others_can_write_to_is_refused() {
    let folder = Folder::new("hostile");
    Helper::start("shared", &folder).expect_ready().kill();
    blocking_until("the folder is gone", || folder.is_empty());
    let base = folder.path.join(format!("rillflow-pg-{}", helper::own_uid()));
    fs::create_dir(&base).expect("a folder");
    fs::set_permissions(&base, fs::Permissions::from_mode(0o777)).expect("open to all");

    let text = Helper::start("shared", &folder).expect_error();

    assert!(text.contains("can be written to by others, so PostgreSQL cannot safely run in it"), "{text}");
}

#[test]
fn a_temporary_folder_too_long_for_a_socket_works() {
    let folder = Folder::new(&"long-".repeat(20));
    let helper = Helper::start("shared", &folder).expect_ready();
    let (server, socket) = (helper.server, helper.socket.clone());
    assert!(!socket.starts_with(&folder.path));

    helper.kill();

    blocking_until("server, folder and socket are gone", || {
        !helper::is_alive(server) && folder.is_empty() && !socket.exists()
    });
}

#[test]
fn docker_without_docker_is_explained() {
    let folder = Folder::new("docker");
    let nowhere = [("RILLFLOW_TEST_BACKEND", "docker"), ("DOCKER_HOST", "unix:///nowhere/docker.sock")];
    let text = Helper::start_in("test-database", &folder, &nowhere).expect_error();

    // Which of the two depends on the features this test was built with.
    assert!(text.contains("feature `testing-docker`") || text.contains("is Docker running"), "{text}");
}

#[tokio::test]
async fn databases_are_separate() -> Result<()> {
    let one = TestDatabase::create().await?;
    let two = TestDatabase::create().await?;
    assert_ne!(one.name(), two.name());

    query(one.url(), "CREATE TABLE here (id int)").await?;

    query(two.url(), "CREATE TABLE here (id int)").await
}

#[tokio::test]
async fn a_dropped_database_is_gone_although_somebody_was_connected() -> Result<()> {
    let other = TestDatabase::create().await?;
    let dropped = TestDatabase::create().await?;
    let name = dropped.name().to_owned();
    let _connected = PgConnection::connect(dropped.url()).await.map_err(Error::Database)?;

    drop(dropped);

    let mut conn = PgConnection::connect(other.url()).await.map_err(Error::Database)?;
    until("it is gone", async || {
        let found = sqlx::query("SELECT FROM pg_database WHERE datname = $1").bind(&name);
        Ok(found.fetch_optional(&mut conn).await?.is_none())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_template_is_built_once() -> Result<()> {
    let built = Arc::new(AtomicUsize::new(0));
    let key = format!("a_template_is_built_once {:?}", std::time::SystemTime::now());
    let tests: Vec<_> = (0..8).map(|_| tokio::spawn(from_template(key.clone(), Arc::clone(&built)))).collect();

    for test in tests {
        let database = test.await.expect("no panic")?;
        query(database.url(), "INSERT INTO made_by_template VALUES (1)").await?;
    }

    assert_eq!(built.load(Ordering::SeqCst), 1);
    Ok(())
}

async fn from_template(key: String, built: Arc<AtomicUsize>) -> Result<TestDatabase> {
    TestDatabase::from_template(&key, async |url: &str| {
        built.fetch_add(1, Ordering::SeqCst);
        // The connection is dropped and not closed: a careless `prepare` must do no harm.
        query(url, "CREATE TABLE made_by_template (id int PRIMARY KEY)").await
    })
    .await
}

#[tokio::test]
async fn a_template_that_failed_is_built_again() -> Result<()> {
    let key = format!("a_template_that_failed {:?}", std::time::SystemTime::now());
    let failed = TestDatabase::from_template(&key, async |url: &str| query(url, "no SQL at all").await).await;
    assert!(matches!(failed, Err(Error::Database(_))));

    let database =
        TestDatabase::from_template(&key, async |url: &str| query(url, "CREATE TABLE t (id int)").await).await?;

    query(database.url(), "INSERT INTO t VALUES (1)").await?;
    database.close().await
}

async fn query(url: &str, statement: &'static str) -> Result<()> {
    let mut conn = PgConnection::connect(url).await.map_err(Error::Database)?;
    sqlx::raw_sql(statement).execute(&mut conn).await.map(drop).map_err(Error::Database)
}
