//! The integration tests of rillflow: `cargo test --test integration_postgres`.
//!
//! This library holds what examples and the book share with them.

pub mod book;
pub mod private_server;

/// Any error: it ends the test.
pub type Failure = Box<dyn std::error::Error>;
