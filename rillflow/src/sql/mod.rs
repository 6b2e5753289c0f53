//! Layer 2, statement text. Nothing here does I/O.

pub mod render;
