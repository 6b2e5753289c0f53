//! The events that the compile-fail cases share.
