//! A NATS server of one test's own, where this machine has one.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

/// A running server with JetStream; it ends with its value.
pub(super) struct Server {
    process: Child,
    folder: PathBuf,
    port: String,
}

impl Server {
    /// `None`, with the reason printed, where there is no `nats-server`.
    pub(super) async fn start() -> Result<Option<Self>, Box<dyn std::error::Error>> {
        let folder = std::env::temp_dir().join(format!("rillflow-nats-{}", std::process::id()));
        let mut command = Command::new("nats-server");
        command.args(["-js", "-a", "127.0.0.1", "-p", "-1", "-sd"]).arg(&folder);
        let mut process = match command.stderr(Stdio::piped()).stdout(Stdio::null()).spawn() {
            Ok(process) => process,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                println!("skipped: there is no `nats-server` on this machine (apt-get install nats-server)");
                return Ok(None);
            }
            Err(error) => return Err(error.into()),
        };
        let log = process.stderr.take().ok_or("no log")?;
        let mut lines = BufReader::new(log).lines();
        let mut port = None;
        for line in lines.by_ref() {
            let line = line?;
            if let Some((_, after)) = line.split_once("Listening for client connections on 127.0.0.1:") {
                port = Some(after.trim().to_owned());
            }
            if line.contains("Server is ready") {
                break;
            }
        }
        // a full pipe would hold the server up
        std::thread::spawn(move || lines.for_each(drop));
        let server = Self { process, folder, port: port.ok_or("it did not say where it listens")? };
        Ok(Some(server))
    }

    pub(super) fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // one that has ended, and a folder that is gone, are no trouble
        let _ended = self.process.kill();
        let _ended = self.process.wait();
        let _gone = std::fs::remove_dir_all(&self.folder);
    }
}
