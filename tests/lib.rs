//! The integration tests of rillflow: `cargo test --test integration_postgres`.
