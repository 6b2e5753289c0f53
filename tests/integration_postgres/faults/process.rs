//! A test of this binary as a process of its own, which can be stopped and killed.

use std::io::{BufRead, BufReader, Lines, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use crate::support::TestResult;

const SAYS: &str = "this process says ";

/// A process that runs one test; killed with its value.
pub(crate) struct Process {
    child: Child,
    stdin: ChildStdin,
    says: Lines<BufReader<ChildStdout>>,
}

impl Process {
    /// Starts the test of this path; the environment tells it that it is meant.
    pub(crate) fn start(test: &str, env: &[(&str, &str)]) -> Result<Self, Box<dyn std::error::Error>> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["--exact", test, "--nocapture"]).envs(env.iter().copied());
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        let (stdin, stdout) = (child.stdin.take().ok_or("no stdin")?, child.stdout.take().ok_or("no stdout")?);
        Ok(Self { child, stdin, says: BufReader::new(stdout).lines() })
    }

    /// Waits for what it says next with [`say`].
    pub(crate) fn hear(&mut self) -> Result<String, Box<dyn std::error::Error>> {
        for line in &mut self.says {
            if let Some((_, said)) = line?.split_once(SAYS) {
                return Ok(said.to_owned());
            }
        }
        Err("the process ended early".into())
    }

    /// Ends its [`wait_for_word`].
    pub(crate) fn give_word(&mut self) -> std::io::Result<()> {
        self.stdin.write_all(b"go on\n")
    }

    pub(crate) fn signal(&self, signal: &str) -> TestResult {
        let sent = Command::new("kill").args([signal, &self.child.id().to_string()]).status()?;
        sent.success().then_some(()).ok_or_else(|| format!("kill {signal} failed").into())
    }

    pub(crate) fn has_ended(&mut self) -> std::io::Result<bool> {
        Ok(self.child.try_wait()?.is_some())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // it may have ended already
        let _ended = self.child.kill().and_then(|()| self.child.wait());
    }
}

/// Within such a process: tells the one that started it.
pub(crate) fn say(what: &str) {
    println!("{SAYS}{what}");
}

/// Within such a process: waits until the one that started it lets it go on.
pub(crate) async fn wait_for_word() -> std::io::Result<()> {
    tokio::task::spawn_blocking(|| std::io::stdin().lock().read_line(&mut String::new())).await??;
    Ok(())
}
