//! A coordinator process and its workers.

use std::net::TcpListener;
use std::path::Path;

use serde_json::Value;

use crate::export::Export;
use crate::process::{Finished, Process, eventually};

/// A coordinator process over a state folder.
#[derive(Debug)]
pub struct Coordinator {
    process: Process,
    /// Where it listens.
    pub address: String,
}

/// An address on which nobody listens.
pub fn free_address() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

impl Coordinator {
    /// Starts one at `address` and waits until it listens.
    pub fn start(state: &Path, address: &str) -> Self {
        let state = state.to_str().unwrap();
        let mut process = Process::start(["coordinator", "--listen", address, "--state", state]);
        eventually("a coordinator that listens", || {
            assert!(process.is_running(), "the coordinator ended: {}", process.read("stderr"));
            std::net::TcpStream::connect(address).ok()
        });
        Self { process, address: address.to_owned() }
    }

    /// Submits a sweep file; the sweep's id.
    pub fn submit(&self, file: &Path) -> String {
        self.submit_with(file, &[])
    }

    /// Submits a sweep file that was submitted before as a sweep of its own.
    pub fn submit_afresh(&self, file: &Path) -> String {
        self.submit_with(file, &["--fresh"])
    }

    fn submit_with(&self, file: &Path, more: &[&str]) -> String {
        let fixed = ["submit", file.to_str().unwrap(), "--coordinator", &self.address];
        let answer = Process::run(fixed.iter().chain(more));
        assert_eq!(answer.code(), 0, "{answer:?}");
        let (sweep, _) = answer.stdout.split_once(':').unwrap();
        sweep.to_owned()
    }

    /// What `bitsweep status --json` prints of a sweep.
    pub fn status(&self, sweep: &str) -> Value {
        let answer = Process::run(["status", sweep, "--json", "--coordinator", &self.address]);
        assert_eq!(answer.code(), 0, "{answer:?}");
        serde_json::from_str(&answer.stdout).unwrap()
    }

    /// Everything a sweep measured so far.
    pub fn export(&self, sweep: &str) -> Export {
        let arguments = ["export", sweep, "--format", "json", "--coordinator", &self.address];
        let answer = Process::run(arguments);
        assert_eq!(answer.code(), 0, "{answer:?}");
        Export::parse(&answer.stdout)
    }

    /// Waits until nothing of the sweep can change any more; its state.
    pub fn end(&self, sweep: &str) -> String {
        eventually("the end of the sweep", || {
            let status = self.status(sweep);
            let state = status["state"].as_str().unwrap().to_owned();
            (state != "active").then_some(state)
        })
    }

    /// Asks it to end.
    pub fn terminate(self) -> Finished {
        self.process.terminate()
    }

    /// Kills it without a word.
    pub fn kill(self) {
        self.process.kill();
    }
}

/// Starts a worker of one slot and one thread.
pub fn worker(address: &str, name: &str, work: &Path, more: &[&str]) -> Process {
    let work = work.to_str().unwrap();
    let fixed = ["worker", "--coordinator", address, "--name", name, "--work", work];
    let size = ["--slots", "1", "--threads", "1"];
    Process::start(fixed.iter().chain(&size).chain(more))
}
