//! A trial that trains nothing: it says what the tests of the worker want said.

// A process of its own: its standard error is a log, and nothing else shares its threads.
#![allow(clippy::print_stderr, clippy::disallowed_methods)]

use std::fs;
use std::io::{Read, Write, stdin, stdout};
use std::path::Path;
use std::process::exit;

use bitsweep_proto::{MAX_MESSAGE_BYTES, v1};
use prost::Message;
use prost::bytes::BytesMut;
use rustix::process::{Signal, getpid, kill_process};
use v1::trial_event::Event;

fn main() {
    let mode = std::env::args().nth(1).unwrap_or_default();
    let mut input = Input::default();
    let Some(request) = input.next::<v1::TrialRequest>() else { exit(3) };
    eprintln!("process {}", std::process::id());
    say(Event::Started(v1::Started {
        provenance: Some(v1::Provenance {
            threads: request.threads,
            device: request.device.clone(),
            ..Default::default()
        }),
        ..Default::default()
    }));
    match mode.as_str() {
        "finish" => finish(&request),
        "crash" => {
            eprintln!("first words");
            eprintln!("index out of bounds");
            exit(101)
        }
        "kill" => {
            let _ = kill_process(getpid(), Signal::KILL);
        }
        "print" => {
            for epoch in 0..100 {
                let _ = writeln!(stdout(), "epoch {epoch}: loss 2.3, accuracy 10 %");
            }
            wait_for_ever();
        }
        "huge" => {
            let mut length = Vec::new();
            prost::encode_length_delimiter(MAX_MESSAGE_BYTES * 16, &mut length).unwrap_or_default();
            write(&length);
            wait_for_ever();
        }
        "fail" => {
            let reason = v1::AttemptEnd::Diverged.into();
            say(Event::Failed(v1::Failed { reason, message: "loss is NaN at step 7".into() }));
            exit(1)
        }
        "until-stopped" => until_stopped(&request, input),
        "show-inputs" => {
            let read = |path: &Option<String>| {
                path.as_ref().and_then(|path| fs::read_to_string(path).ok())
            };
            log(&format!("parent {:?}", read(&request.parent_checkpoint)));
            log(&format!("resume {:?}", read(&request.resume_checkpoint)));
            finish(&request);
        }
        "outside" => {
            let path = Some("/etc/passwd".to_owned());
            say(Event::Checkpoint(v1::CheckpointSaved { path, ..Default::default() }));
            wait_for_ever();
        }
        other => {
            eprintln!("no such mode: {other}");
            exit(2)
        }
    }
}

/// Two epochs of five steps, a checkpoint after each, the end.
fn finish(request: &v1::TrialRequest) {
    for epoch in 1..=2 {
        for step in 5 * (epoch - 1) + 1..=5 * epoch {
            point(step);
        }
        save(request, 5 * epoch, epoch == 2);
    }
    say(Event::Finished(v1::FinalResult { steps: 10, ..Default::default() }));
}

/// Steps until told to stop, then a checkpoint.
fn until_stopped(request: &v1::TrialRequest, mut input: Input) {
    let told = std::thread::spawn(move || input.next::<v1::TrialCommand>());
    let mut step = 0;
    while !told.is_finished() {
        step += 1;
        point(step);
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    if !matches!(told.join(), Ok(Some(_))) {
        exit(4);
    }
    save(request, step, false);
    say(Event::Stopped(v1::Stopped {}));
}

fn wait_for_ever() {
    loop {
        std::thread::park();
    }
}

fn point(step: u64) {
    let metric = v1::Metric::StepLoss.into();
    say(Event::Points(v1::PointBatch { metric, steps: vec![step], values: vec![step as f64] }));
}

fn log(message: &str) {
    let level = v1::Level::Info.into();
    say(Event::Log(v1::LogLine { level, message: message.into(), time_ms: 0 }));
}

fn save(request: &v1::TrialRequest, step: u64, r#final: bool) {
    let path = Path::new(&request.directory).join(format!("step-{step}"));
    if let Err(error) = fs::write(&path, format!("checkpoint at step {step}").repeat(100_000)) {
        eprintln!("{error}");
        exit(5);
    }
    let path = Some(path.to_string_lossy().into_owned());
    say(Event::Checkpoint(v1::CheckpointSaved { epoch: 1, step, r#final, path, artifact: None }));
}

fn say(event: Event) {
    write(&v1::TrialEvent { event: Some(event) }.encode_length_delimited_to_vec());
}

fn write(bytes: &[u8]) {
    let mut output = stdout().lock();
    if output.write_all(bytes).and_then(|()| output.flush()).is_err() {
        exit(6);
    }
}

/// Messages on standard input.
#[derive(Default)]
struct Input {
    buffer: BytesMut,
}

impl Input {
    fn next<M: Message + Default>(&mut self) -> Option<M> {
        loop {
            let mut rest = self.buffer.clone().freeze();
            if let Ok(message) = M::decode_length_delimited(&mut rest)
                && !self.buffer.is_empty()
            {
                self.buffer = BytesMut::from(&rest[..]);
                return Some(message);
            }
            let mut chunk = [0; 4096];
            match stdin().read(&mut chunk) {
                Ok(count @ 1..) => self.buffer.extend_from_slice(&chunk[..count]),
                _ => return None,
            }
        }
    }
}
