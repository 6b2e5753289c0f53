//! Step 3: checked input into code. Nothing here can fail.

pub(crate) mod aggregate;
pub(crate) mod checks;
pub(crate) mod condition;
pub(crate) mod document;
pub(crate) mod editor;
pub(crate) mod event;
mod fields;
pub(crate) mod handlers;
mod indexes;
mod operands;
pub(crate) mod output;
pub(crate) mod paths;
pub(crate) mod projection;
pub(crate) mod query;
mod sql_projection;
pub(crate) mod stand_in;
pub(crate) mod tags;
pub(crate) mod value;
