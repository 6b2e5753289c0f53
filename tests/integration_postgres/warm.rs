use futures_util::FutureExt;
use rillflow::testing::TestDatabase;
use rillflow::{Document, Store};
use sqlx::PgPool;

use crate::orders::{Customer, customer};
use crate::support::{Db, SOON, TestResult, until};

/// A store of so many connections, with customers 0 to 9.
async fn filled(connections: u32) -> Result<(Db, Store), Box<dyn std::error::Error>> {
    let db = TestDatabase::create().await?;
    let store = Store::builder(db.url()).max_connections(connections).document::<Customer>().build().await?;
    store.schema().sync(&Default::default()).await?;
    store.docs().bulk_insert((0..10).map(customer)).run().await?;
    Ok((db, store))
}

/// Returns once the pool has all of its connections.
async fn until_all_are_back(pool: &PgPool) -> TestResult {
    let all_are_idle = async || Ok(pool.size() > 0 && pool.num_idle() == pool.size() as usize);
    Ok(until("all connections are back", all_are_idle).await?)
}

async fn read_all(store: &Store) -> rillflow::Result<()> {
    for n in 0..10 {
        assert_eq!(store.docs().get::<Customer>(&customer(n).id).await?, Some((customer(n), 1)));
    }
    assert_eq!(store.query(Customer::query().count()).await?, 10);
    Ok(())
}

#[tokio::test]
async fn connections_that_rest_go_back_to_the_pool_when_nobody_reads() -> TestResult {
    let (_db, store) = filled(4).await?;
    for _ in 0..3 {
        futures_util::future::try_join_all((0..4).map(|_| read_all(&store))).await?;
        until_all_are_back(store.pool()).await?;
    }
    assert!(store.pool().size() <= 4);
    read_all(&store).await?;
    tokio::time::timeout(SOON, store.pool().close()).await?;
    assert!(read_all(&store).await.is_err(), "a closed pool is closed for readers too");
    Ok(())
}

#[tokio::test]
async fn readers_never_keep_the_pool_from_others() -> TestResult {
    for connections in [1, 2, 3] {
        let (_db, store) = filled(connections).await?;
        let readers = (0..8).map(|_| async {
            for _ in 0..20 {
                read_all(&store).await?;
            }
            Ok::<_, Box<dyn std::error::Error>>(())
        });
        // whoever wants every connection at once gets them, again and again
        let other = async {
            for _ in 0..10 {
                let mut all = Vec::new();
                for _ in 0..connections {
                    all.push(store.pool().acquire().await?);
                }
            }
            Ok::<_, Box<dyn std::error::Error>>(())
        };
        let both = futures_util::future::try_join(futures_util::future::try_join_all(readers), other);
        tokio::time::timeout(SOON, both).await??;
    }
    Ok(())
}

#[tokio::test]
async fn a_reader_that_is_given_up_leaves_no_answer_behind_for_the_next_one() -> TestResult {
    let (_db, store) = filled(2).await?;
    let docs = store.docs();
    for n in 0..200 {
        let id = customer(n % 10).id;
        let mut reading = Box::pin(docs.get::<Customer>(&id));
        for _ in 0..n % 7 {
            if (&mut reading).now_or_never().is_some() {
                break;
            }
            tokio::task::yield_now().await;
        }
        drop(reading);
        let other = customer((n + 1) % 10);
        assert_eq!(docs.get::<Customer>(&other.id).await?, Some((other, 1)));
    }
    Ok(())
}

#[tokio::test]
async fn a_resting_connection_that_the_server_ended_costs_one_error_at_most() -> TestResult {
    let (db, store) = filled(4).await?;
    let admin = PgPool::connect(db.url()).await?;
    for _ in 0..5 {
        read_all(&store).await?;
        let end = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
                   WHERE datname = current_database() AND pid <> pg_backend_pid()";
        sqlx::raw_sql(end).execute(&admin).await?;
        let mut failed = 0;
        while read_all(&store).await.is_err() {
            failed += 1;
            assert!(failed <= 4, "one for each connection");
        }
    }
    Ok(())
}

#[test]
fn a_store_may_outlive_its_runtime() -> TestResult {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let (db, store) = runtime.block_on(async {
        let (db, store) = filled(4).await.map_err(|e| e.to_string())?;
        read_all(&store).await.map_err(|e| e.to_string())?;
        Ok::<_, String>((db, store))
    })?;
    runtime.block_on(async move { drop(db) });
    drop(runtime);
    drop(store);
    Ok(())
}
