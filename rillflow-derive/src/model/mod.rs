//! Step 2: checked input. Every refusal lives here.

pub(crate) mod aggregate;
pub(crate) mod event;
pub(crate) mod functions;
pub(crate) mod handlers;
pub(crate) mod names;
pub(crate) mod projection;
