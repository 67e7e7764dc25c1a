//! Starting, stopping and waiting for one trial process.

use std::ffi::OsString;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;

use bitsweep_proto::v1;
use bitsweep_sweep::AttemptEnd;
use prost::Message;
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::AsyncWriteExt;
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::ending::{ProcessEnd, Status};
use super::environment;
use super::pipe::{Outlet, read_events, read_log};
use crate::session::{AttemptKey, Event};
use crate::telemetry;

pub(crate) use super::pipe::budget;

/// What the worker wants of the process; a later one outranks an earlier one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Order {
    Run,
    /// Save a checkpoint and end.
    Stop,
    /// End now; what was said counts.
    Kill,
    /// End now; nobody wants what was said.
    Discard,
}

/// A process to be started.
#[derive(Debug)]
pub(crate) struct Launch {
    pub(crate) key: AttemptKey,
    /// Program and arguments.
    pub(crate) command: Vec<OsString>,
    pub(crate) request: v1::TrialRequest,
    pub(crate) budget: Arc<Semaphore>,
    pub(crate) events: mpsc::Sender<Event>,
}

/// Why there is no process.
#[derive(Debug)]
pub(crate) struct NotStarted {
    pub(crate) reason: AttemptEnd,
    pub(crate) message: String,
}

/// Runs the process to its end. When this returns it is gone, with everything it started, and all it
/// said was handed over. Dropping the future kills it.
pub(crate) async fn run(
    launch: Launch,
    mut orders: watch::Receiver<Order>,
) -> Result<ProcessEnd, NotStarted> {
    let Launch { key, command, request, budget, events } = launch;
    let memory_kills = telemetry::memory_kills();
    let mut child = spawn(&command, request.threads)?;
    orders.mark_changed();
    let group = Group::of(&child);
    let (stdin, stdout, stderr) =
        match (child.stdin.take(), child.stdout.take(), child.stderr.take()) {
            (Some(stdin), Some(stdout), Some(stderr)) => (stdin, stdout, stderr),
            _ => {
                return Err(NotStarted::crashed(
                    "trial process was started without its pipes".into(),
                ));
            }
        };
    let outlet = Outlet { key, budget, events };
    let broken = CancellationToken::new();
    let said = async {
        let said = read_events(stdout, &outlet).await;
        if said.broke_protocol.is_some() {
            broken.cancel();
        }
        said
    };
    let observed = broken.clone();
    let supervised = async move {
        // Kept open for as long as the process may run: its closing would tell the trial to end.
        let mut stdin = stdin;
        write(&mut stdin, &request).await;
        let ended = loop {
            tokio::select! {
                ended = child.wait() => break ended,
                () = observed.cancelled() => {
                    group.kill();
                    break child.wait().await;
                }
                Ok(()) = orders.changed() => {
                    let order = *orders.borrow_and_update();
                    obey(order, &mut stdin, &group).await;
                }
            }
        };
        // Whatever it left behind would hold the pipes open.
        drop(group);
        ended
    };
    let (ended, said, log) = tokio::join!(supervised, said, read_log(stderr, &outlet));
    let status = match ended {
        Ok(status) => Status::from(status),
        Err(error) => {
            return Err(NotStarted::crashed(format!("cannot wait for the trial process: {error}")));
        }
    };
    // A process that is killed may well be cut short; one that ends by itself may not.
    let cut_short = said.cut_short.filter(|_| status == Status::Code(0));
    Ok(ProcessEnd {
        status,
        last: said.last,
        broke_protocol: said.broke_protocol.or(cut_short),
        log,
        host_out_of_memory: telemetry::memory_kills() > memory_kills,
    })
}

impl NotStarted {
    fn crashed(message: String) -> Self {
        Self { reason: AttemptEnd::Crashed, message }
    }
}

fn spawn(command: &[OsString], threads: u32) -> Result<Child, NotStarted> {
    let Some((program, arguments)) = command.split_first() else {
        return Err(NotStarted::crashed("there is no trial program".into()));
    };
    Command::new(program)
        .args(arguments)
        .envs(environment::variables(threads))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        // Of its own, so that a Ctrl-C meant for the worker does not end the trial before its checkpoint.
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| {
            let path = PathBuf::from(program);
            match error.kind() {
                ErrorKind::NotFound | ErrorKind::PermissionDenied => NotStarted {
                    reason: AttemptEnd::BadInput,
                    message: format!(
                        "trial program {} cannot be started: {error}; check that it is there and \
                         executable",
                        path.display()
                    ),
                },
                ErrorKind::OutOfMemory => NotStarted {
                    reason: AttemptEnd::OutOfMemory,
                    message: format!("no memory to start {}", path.display()),
                },
                _ => NotStarted::crashed(format!(
                    "trial program {} cannot be started: {error}",
                    path.display()
                )),
            }
        })
}

async fn obey(order: Order, stdin: &mut ChildStdin, group: &Group) {
    match order {
        Order::Run => {}
        Order::Stop => {
            let stop = v1::trial_command::Command::Stop(v1::Stop {});
            write(stdin, &v1::TrialCommand { command: Some(stop) }).await;
        }
        Order::Kill | Order::Discard => group.kill(),
    }
}

/// Writes one message. A process that no longer listens is about to be seen ending.
async fn write(stdin: &mut ChildStdin, message: &impl Message) {
    let bytes = message.encode_length_delimited_to_vec();
    if stdin.write_all(&bytes).await.is_ok() {
        let _ = stdin.flush().await;
    }
}

/// The process and everything it starts; killed when dropped.
#[derive(Debug)]
struct Group(Option<Pid>);

impl Group {
    fn of(child: &Child) -> Self {
        Self(child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw))
    }

    fn kill(&self) {
        if let Some(group) = self.0 {
            // Fails when nobody is left, which is what is wanted.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.kill();
    }
}
