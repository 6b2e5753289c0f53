//! How much processor time client and server take: what they need, however busy the machine is with other work.

use std::fs;
use std::path::Path;
use std::time::Duration;

use crate::Result;

/// Processor time since some moment; two of them are taken apart.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Used {
    pub(crate) client: Duration,
    pub(crate) server: Duration,
}

impl Used {
    /// By this process, and by the children of the server's first process.
    pub(crate) fn now(postmaster: Option<u32>) -> Result<Self> {
        let client = tasks_of("/proc/self/task")?;
        let Some(postmaster) = postmaster else { return Ok(Self { client, ..Self::default() }) };
        let mut server = Duration::ZERO;
        for entry in fs::read_dir("/proc")?.flatten() {
            let process = entry.path();
            if parent_of(&process) == Some(postmaster) {
                server += ran(&process);
            }
        }
        Ok(Self { client, server })
    }

    pub(crate) fn since(self, before: Self) -> Self {
        Self { client: self.client.saturating_sub(before.client), server: self.server.saturating_sub(before.server) }
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.client += other.client;
        self.server += other.server;
    }
}

/// The parent of a process, if it is still there.
pub(crate) fn parent_of(process: &Path) -> Option<u32> {
    let stat = fs::read_to_string(process.join("stat")).ok()?;
    // the name before it is in parentheses and may hold anything
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}

fn tasks_of(folder: &str) -> Result<Duration> {
    Ok(fs::read_dir(folder)?.flatten().map(|task| ran(&task.path())).sum())
}

/// For how long a process or thread ran; nothing when it has ended.
fn ran(of: &Path) -> Duration {
    let text = fs::read_to_string(of.join("schedstat")).unwrap_or_default();
    Duration::from_nanos(text.split(' ').next().and_then(|it| it.parse().ok()).unwrap_or(0))
}
