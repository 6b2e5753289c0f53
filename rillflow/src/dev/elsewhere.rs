//! Systems without Unix sockets and `/bin/sh`: no server is started there.

use std::path::Path;

use crate::{Error, Result};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    ThrowAway,
    Persistent,
}

/// Never made: no server can be started here.
#[derive(Debug)]
pub(crate) enum Attachment {}

impl Attachment {
    pub(crate) fn kind(&self) -> Kind {
        match *self {}
    }

    pub(crate) fn socket(&self) -> &Path {
        match *self {}
    }

    pub(crate) fn data(&self) -> &Path {
        match *self {}
    }

    pub(crate) fn log(&self) -> &Path {
        match *self {}
    }

    pub(crate) fn version(&self) -> &str {
        match *self {}
    }

    pub(crate) fn psql(&self) -> &Path {
        match *self {}
    }

    pub(crate) fn is_up(&self) -> bool {
        match *self {}
    }
}

pub(crate) fn attach(_kind: Kind) -> Result<Attachment> {
    Err(Error::Development(
        "a development PostgreSQL starts by itself on Linux and macOS only: set DATABASE_URL, or for tests \
         RILLFLOW_TEST_BACKEND=docker"
            .to_owned(),
    ))
}

#[cfg(feature = "testing-docker")]
pub(crate) fn remove_container_after_us(_id: &str) -> Result<()> {
    Ok(())
}
