//! A trainer that trains nothing, at a steady pace: it speaks the pipe protocol, resumes from its
//! checkpoints and stops when asked, so that everything around a training can be tested in seconds.
//!
//! The loss of step n is 1/n; a checkpoint holds the number of steps done. With seed 13 everything
//! that is evaluated is not a number.
// A process of its own: nothing else shares its threads.
#![allow(clippy::disallowed_methods, clippy::unwrap_used)]

use std::fs;
use std::io::{Read, Write, stdin, stdout};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bitsweep_proto::v1;
use prost::Message;
use v1::trial_event::Event;

const PACE: Duration = Duration::from_millis(5);

static STOP: AtomicBool = AtomicBool::new(false);

fn main() {
    let request: v1::TrialRequest = read().unwrap();
    std::thread::spawn(|| {
        while read::<v1::TrialCommand>().is_some() {
            STOP.store(true, Ordering::Relaxed);
        }
        // The worker is gone.
        std::process::exit(1);
    });
    Trial::new(&request).run();
}

struct Trial<'a> {
    directory: &'a Path,
    spec: &'a v1::TrialSpec,
    from_step: u64,
    epochs: u64,
    per_epoch: u64,
}

impl<'a> Trial<'a> {
    fn new(request: &'a v1::TrialRequest) -> Self {
        let spec = request.spec.as_ref().unwrap();
        let (train, data) = (spec.train.as_ref().unwrap(), spec.data.as_ref().unwrap());
        let parent =
            request.parent_checkpoint.as_ref().map(|path| fs::read_to_string(path).unwrap());
        assert_eq!(parent.is_some(), spec.parent.is_some(), "a child has its parent's checkpoint");
        let resume = request.resume_checkpoint.as_ref();
        Self {
            directory: Path::new(&request.directory),
            spec,
            from_step: resume.map_or(0, |path| fs::read_to_string(path).unwrap().parse().unwrap()),
            epochs: train.epochs.into(),
            per_epoch: u64::from(data.train_images.unwrap().div_ceil(train.batch_size)),
        }
    }

    fn run(&self) {
        let total_steps = self.epochs * self.per_epoch;
        say(Event::Started(v1::Started {
            provenance: Some(v1::Provenance::default()),
            parameters: 1,
            steps_per_epoch: self.per_epoch,
            total_steps,
            from_step: self.from_step,
        }));
        for step in self.from_step + 1..=total_steps {
            std::thread::sleep(PACE);
            self.step(step, total_steps);
            let epoch_ends = step.is_multiple_of(self.per_epoch);
            if epoch_ends {
                self.epoch(step);
            }
            let stop = STOP.load(Ordering::Relaxed);
            if epoch_ends || stop {
                self.save(step, step == total_steps);
            }
            if stop && step < total_steps {
                return say(Event::Stopped(v1::Stopped {}));
            }
        }
        say(Event::Finished(v1::FinalResult {
            top1: 50.0,
            validation_loss: if self.spec.seed == 13 { f64::INFINITY } else { 0.0 },
            steps: total_steps,
            epochs: self.spec.train.as_ref().unwrap().epochs,
            ..Default::default()
        }));
    }

    fn step(&self, step: u64, total_steps: u64) {
        let metric = v1::Metric::StepLoss.into();
        let values = vec![1.0 / step as f64];
        say(Event::Points(v1::PointBatch { metric, steps: vec![step], values }));
        say(Event::Progress(v1::Progress {
            phase: v1::Phase::Training.into(),
            step,
            total_steps,
            ..Default::default()
        }));
    }

    fn epoch(&self, step: u64) {
        let epoch = (step / self.per_epoch) as u32;
        let train_loss = Some(1.0 / step as f64);
        let validation_loss = if self.spec.seed == 13 { f64::NAN } else { 0.0 };
        let summary =
            v1::EpochSummary { epoch, step, train_loss, validation_loss, ..Default::default() };
        say(Event::Epoch(summary));
        let layer = v1::LayerState { weight_center: validation_loss, ..Default::default() };
        say(Event::Layers(v1::LayerReport { epoch, step, layers: vec![layer] }));
    }

    fn save(&self, step: u64, r#final: bool) {
        let path = self.directory.join(format!("step-{step}"));
        fs::write(&path, step.to_string()).unwrap();
        let path = Some(path.to_string_lossy().into_owned());
        let epoch = (step / self.per_epoch) as u32;
        say(Event::Checkpoint(v1::CheckpointSaved { epoch, step, r#final, path, artifact: None }));
    }
}

fn say(event: Event) {
    let bytes = v1::TrialEvent { event: Some(event) }.encode_length_delimited_to_vec();
    let mut output = stdout().lock();
    if output.write_all(&bytes).and_then(|()| output.flush()).is_err() {
        std::process::exit(1);
    }
}

/// The next message on standard input; `None` at its end.
fn read<M: Message + Default>() -> Option<M> {
    let mut input = stdin().lock();
    let mut length = Vec::new();
    while length.last().is_none_or(|byte| byte & 0x80 != 0) {
        let mut byte = [0];
        input.read_exact(&mut byte).ok()?;
        length.push(byte[0]);
    }
    let mut message = vec![0; prost::decode_length_delimiter(&length[..]).unwrap()];
    input.read_exact(&mut message).ok()?;
    Some(M::decode(&message[..]).unwrap())
}
