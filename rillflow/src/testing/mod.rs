//! Helpers for tests: a database of its own for each, and much that needs none.
//!
//! - [`given`] and [`given_projection`]: aggregates and projections in memory, events in, events or documents out.
//! - [`assert_projection_agrees`]: a projection comes to the same in whatever way it is run.
//! - [`assert_schema_lock!`](assert_schema_lock): what is stored can still be read.
//! - [`TestDatabase`]: a PostgreSQL database that lives as long as the test.
//! - [`torture`]: writers, readers and bystanders at once on a server, then every event is counted.
//!
//! | variable | meaning |
//! |---|---|
//! | `DATABASE_URL` | make the test databases on this server, and drop them afterwards |
//! | `RILLFLOW_TEST_BACKEND` | `local`: our own server even so; `docker`: a container (feature `testing-docker`) |
//! | `RILLFLOW_TEST_IMAGE` | the container's image, `postgres:16-alpine` if not set |
//!
//! Without any of them the tests of all processes share one throw-away server, see [`Postgres`](crate::dev::Postgres).

mod agreement;
mod database;
mod difference;
#[cfg(feature = "testing-docker")]
mod docker;
mod given;
mod given_projection;
mod keeper;
mod lock;
mod server;
mod sweep;
mod template;
pub mod torture;

#[doc(inline)]
pub use crate::__assert_schema_lock as assert_schema_lock;
pub use agreement::assert_projection_agrees;
pub use database::TestDatabase;
pub use given::{Given, Verdict, When, given};
pub use given_projection::{GivenProjection, given_projection};
pub use lock::SchemaLock;
