//! The domain that the compile-fail cases share.

pub mod events;
