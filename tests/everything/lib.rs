//! Everything that is behind a feature, as `cargo test --workspace` builds it.
