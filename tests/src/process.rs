//! Processes under test.

use std::ffi::OsStr;
use std::fs::File;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::bitsweep;

/// Nothing here takes so long; it only keeps a broken test from hanging for ever.
const LIMIT: Duration = Duration::from_secs(600);

/// Asks `f` again and again until it has an answer.
pub fn eventually<T>(what: &str, mut f: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = f() {
            return found;
        }
        assert!(start.elapsed() < LIMIT, "never came: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A `bitsweep` process; killed when dropped, so that a failed test leaves nothing behind.
#[derive(Debug)]
pub struct Process {
    child: Child,
    output: TempDir,
}

/// What a process came to.
#[derive(Debug)]
pub struct Finished {
    /// How it ended.
    pub status: ExitStatus,
    /// All of standard output.
    pub stdout: String,
    /// All of standard error.
    pub stderr: String,
}

impl Process {
    /// Starts `bitsweep` with `arguments`, away from the user's own state.
    pub fn start<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Self {
        let output = tempfile::tempdir().unwrap();
        let create = |name: &str| File::create(output.path().join(name)).unwrap();
        let child = Command::new(bitsweep())
            .args(arguments)
            .env("BITSWEEP_STATE", output.path().join("state"))
            .env_remove("BITSWEEP_COORDINATOR")
            .stdin(Stdio::null())
            .stdout(create("stdout"))
            .stderr(create("stderr"))
            .spawn()
            .unwrap();
        Self { child, output }
    }

    /// Runs `bitsweep` with `arguments` to its end.
    pub fn run<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Finished {
        Self::start(arguments).finish()
    }

    /// Waits for its end.
    pub fn finish(mut self) -> Finished {
        let status = eventually("the end of a process", || self.child.try_wait().unwrap());
        self.finished(status)
    }

    /// Asks it to end, and waits for that.
    pub fn terminate(self) -> Finished {
        kill_process(self.pid(), Signal::TERM).unwrap();
        self.finish()
    }

    /// Kills it as a crash of the host would: without a word.
    pub fn kill(mut self) -> Finished {
        self.child.kill().unwrap();
        let status = self.child.wait().unwrap();
        self.finished(status)
    }

    /// Kills a process that this one started; `false` when there is none.
    pub fn kill_a_child(&self) -> bool {
        let id = self.child.id();
        // A process may have been started by any thread of its parent.
        let tasks = std::fs::read_dir(format!("/proc/{id}/task")).into_iter().flatten().flatten();
        let of_threads =
            tasks.filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok());
        let all: String = of_threads.collect();
        let Some(child) = all.split_whitespace().find_map(|text| Pid::from_raw(text.parse().ok()?))
        else {
            return false;
        };
        kill_process(child, Signal::KILL).is_ok()
    }

    /// A path in its environment, and in that of every process it starts, and in no other's.
    pub fn mark(&self) -> PathBuf {
        self.output.path().to_owned()
    }

    /// Whether it runs.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    fn finished(&self, status: ExitStatus) -> Finished {
        Finished { status, stdout: self.read("stdout"), stderr: self.read("stderr") }
    }

    /// What it has written so far, for the message of a failed test.
    pub fn read(&self, stream: &str) -> String {
        let path: PathBuf = self.output.path().join(stream);
        String::from_utf8_lossy(&std::fs::read(path).unwrap_or_default()).into_owned()
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            // Shown with the test's own message.
            #[allow(clippy::print_stderr)]
            {
                eprintln!("--- a process said:\n{}{}", self.read("stdout"), self.read("stderr"));
            }
        }
    }
}

impl Finished {
    /// The exit code, which it must have.
    pub fn code(&self) -> i32 {
        self.status.code().unwrap_or_else(|| panic!("killed: {self:?}"))
    }

    /// Asserts that it refused with `code` and one line on standard error that contains all of `words`.
    #[track_caller]
    pub fn assert_refused(&self, code: i32, words: &[&str]) {
        assert_eq!(self.code(), code, "{self:?}");
        let said: Vec<&str> =
            self.stderr.lines().filter(|line| line.starts_with("bitsweep: ")).collect();
        assert_eq!(said.len(), 1, "one line says what is wrong: {self:?}");
        for word in words {
            assert!(said[0].contains(word), "\"{word}\" is missing: {}", said[0]);
        }
        assert!(!self.stderr.contains("panicked"), "{self:?}");
    }
}
