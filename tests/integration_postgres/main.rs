//! One binary against a real PostgreSQL.
