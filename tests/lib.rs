//! The integration tests of rillflow: `cargo test --test integration_postgres`.
//!
//! This library holds what they share with each other, with examples and with the book.

pub mod book;
pub mod private_server;
pub mod waiting;

/// Any error: it ends the test.
pub type Failure = Box<dyn std::error::Error>;
