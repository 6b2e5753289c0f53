//! One binary against a real PostgreSQL.

mod dev_postgres;
