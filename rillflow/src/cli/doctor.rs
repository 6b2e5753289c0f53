//! `rillflow doctor`.

use anstyle::{AnsiColor, Style};
use serde::Serialize;

use super::connect::Session;
use super::failure::Failure;
use super::{Done, Ran};
use crate::{Error, Finding, Severity};

/// What was found, worst first.
#[derive(Debug, Serialize)]
struct Diagnosis {
    healthy: bool,
    findings: Vec<Finding>,
}

pub(super) async fn run(session: &mut Session) -> Ran {
    let mut findings = match session.store().await {
        Ok(store) => store.diagnose().await?,
        // what was typed names nothing that could be looked at
        Err(
            typed @ (Failure::Usage { .. }
            | Failure::Store(Error::Schema { .. } | Error::TenantName { .. } | Error::TenantNotFound { .. })),
        ) => return Err(typed),
        // a database that cannot be reached is what this command is there to tell
        Err(failure) => {
            let (problem, fix) = failure.words();
            vec![Finding::unreachable(problem, fix)]
        }
    };
    findings.sort_by_key(|it| std::cmp::Reverse(it.severity));
    let healthy = findings.iter().all(|it| it.severity < Severity::Warning);
    let diagnosis = Diagnosis { healthy, findings };
    session.out.show(&diagnosis, |out| {
        for finding in &diagnosis.findings {
            let (word, style) = look(finding.severity);
            out.line(&format!("{style}{word:8}{style:#}  {:12}  {}", finding.check, finding.problem))?;
            if !finding.fix.is_empty() {
                out.line(&format!("{:24}-> {}", "", finding.fix))?;
            }
        }
        Ok(())
    })?;
    Ok(if healthy { Done::Well } else { Done::Found })
}

fn look(severity: Severity) -> (&'static str, Style) {
    let (word, color) = match severity {
        Severity::Ok => ("ok", AnsiColor::Green),
        Severity::Info => ("info", AnsiColor::Cyan),
        Severity::Warning => ("warning", AnsiColor::Yellow),
        Severity::Critical => ("critical", AnsiColor::Red),
    };
    (word, color.on_default())
}
