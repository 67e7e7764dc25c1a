//! The course of one trial: steps, evaluations, checkpoints.

use std::time::{Duration, Instant};

use bitsweep_sweep::{
    CheckpointSaved, EpochSummary, FinalResult, LayerReport, Level, Phase, Provenance, Started,
    TrialEvent, TrialSpec,
};

use crate::calibration::recompute_batch_norm;
use crate::checkpoint::{Checkpoint, Directory, EpochSums, Header, Position};
use crate::control::Control;
use crate::device;
use crate::error::TrainError;
use crate::evaluation::evaluate;
use crate::events::{Emit, Events};
use crate::images::Images;
use crate::layers::layer_states;
use crate::metrics::Metrics;
use crate::network::{self, STATE};
use crate::provenance;
use crate::report::{Reporter, StepRecord, per_second};
use crate::request::{Outcome, TrialRequest};
use crate::schedule::Schedule;
use crate::start::{INITIAL, MOMENTUM, Progressing, Source, start};
use crate::step::step;

/// Longest training that a crash can cost, where epochs are longer.
const CHECKPOINT_INTERVAL: Duration = Duration::from_secs(300);

/// Trains what `request` asks for, telling `emit` every event in order, and stops at the next step when
/// `control` asks.
///
/// `emit` gets `Started` first and `Finished` or `Stopped` last; after an error it gets nothing more, and
/// [`TrainError::failure`] is the event to send.
///
/// # Errors
/// When the images, the checkpoints or the specification cannot be used, when the loss diverges, when
/// a checkpoint cannot be written, or when `emit` fails.
pub fn run(
    request: &TrialRequest,
    control: &Control,
    emit: &mut Emit<'_>,
) -> Result<Outcome, TrainError> {
    let spec = &request.spec;
    if spec.train.epochs == 0 || spec.train.batch_size == 0 {
        let message = format!("trial {}: epochs and batch size must be at least 1", spec.name);
        return Err(TrainError::Spec(message));
    }
    // Refused where the process has a pool already: then that one serves.
    let _ = rayon::ThreadPoolBuilder::new().num_threads(request.threads).build_global();
    let device = device::open(&request.device)?;
    let images = Images::open(spec)?;
    let source = Source::read(request)?;
    let directory = Directory::open(&request.directory)?;
    let mut model = network::build(&spec.model, spec.bits, spec.seed, &device)?;

    let steps_per_epoch = images.train.batches_per_epoch() as u64;
    let total_steps = steps_per_epoch * u64::from(spec.train.epochs);
    let from_step = source.steps_done();
    let reporter = Reporter::new(total_steps, spec.train.epochs, from_step);
    let mut events = Events::new(emit, reporter);
    events.send(TrialEvent::Started(Started {
        provenance: provenance_of(request, &images),
        parameters: model.parameter_count() as u64,
        steps_per_epoch,
        total_steps,
        from_step,
    }))?;
    events.enter(Phase::Calibrating, 0)?;
    let state = start(model, source, request, &images, &device, &mut events)?;
    let schedule = Schedule::new(&spec.train, steps_per_epoch);
    let spec_hash = spec.hash();
    let mut trial = Trial {
        spec,
        spec_hash: &spec_hash,
        images: &images,
        steps_per_epoch,
        schedule,
        directory,
        events,
        state,
        saved: None,
        saved_at: Instant::now(),
        last_loss: None,
    };
    trial.run(control)
}

fn provenance_of(request: &TrialRequest, images: &Images) -> Provenance {
    Provenance {
        program_version: env!("CARGO_PKG_VERSION").to_owned(),
        spec_hash: request.spec.hash(),
        data_fingerprint: images.fingerprint.clone(),
        train_images: images.train_images,
        validation_images: images.validation_images,
        device: format!("flex on {}", provenance::processor()),
        threads: rayon::current_num_threads() as u32,
        seed: request.spec.seed,
        host: provenance::host(),
    }
}

struct Trial<'a, 'b, 'c> {
    spec: &'a TrialSpec,
    spec_hash: &'a str,
    images: &'a Images,
    steps_per_epoch: u64,
    schedule: Schedule,
    directory: Directory,
    events: Events<'b, 'c>,
    state: Progressing,
    /// The position of the newest checkpoint of this attempt.
    saved: Option<Position>,
    saved_at: Instant,
    last_loss: Option<f64>,
}

impl Trial<'_, '_, '_> {
    fn run(&mut self, control: &Control) -> Result<Outcome, TrainError> {
        if self.state.over {
            // Its last words were lost: the result again, from the same weights.
            let Some((metrics, _)) = self.evaluate(control)? else { return self.stop() };
            self.save(true)?;
            return self.finish(&metrics);
        }
        loop {
            if !self.state.position.evaluation_due && !self.train_epoch(control)? {
                return self.stop();
            }
            let Some((metrics, seconds)) = self.evaluate(control)? else { return self.stop() };
            self.report(&metrics, seconds)?;
            if self.state.position.step == 0 {
                self.state.position.evaluation_due = false;
                continue;
            }
            let epochs_done = self.state.position.epochs_done + 1;
            self.state.position =
                Position { epochs_done, batch: 0, evaluation_due: false, ..self.state.position };
            self.state.sums = EpochSums::default();
            let is_final = epochs_done == self.spec.train.epochs;
            self.save(is_final)?;
            if is_final {
                return self.finish(&metrics);
            }
        }
    }

    /// The epoch that the position is in; 0 before the first step of a trial with a parent.
    fn epoch(&self) -> u32 {
        match self.state.position {
            Position { step: 0, evaluation_due: true, .. } => 0,
            _ if self.state.over => self.state.position.epochs_done,
            position => position.epochs_done + 1,
        }
    }

    /// Trains to the end of the epoch; `false` when a stop was asked for before.
    fn train_epoch(&mut self, control: &Control) -> Result<bool, TrainError> {
        let epoch = self.epoch();
        self.events.enter(Phase::Training, epoch)?;
        let mut batches = self.images.train.epoch(epoch, self.state.position.batch as usize);
        let mut cuts = 0;
        while self.state.position.batch < self.steps_per_epoch {
            if control.stop_requested(self.state.position.step) {
                return Ok(false);
            }
            if self.saved_at.elapsed() >= CHECKPOINT_INTERVAL {
                self.save(false)?;
                self.events.enter(Phase::Training, epoch)?;
            }
            let started = Instant::now();
            let batch = batches.next().ok_or_else(|| TrainError::Engine {
                doing: "loading images",
                message: format!("epoch {epoch} ended early"),
            })?;
            let data_wait = started.elapsed().as_secs_f64();
            let images = batch.labels.len() as u64;
            let number = self.state.position.step + 1;
            let learning_rate = self.schedule.learning_rate(number);
            let Progressing { model, optimizer, .. } = &mut self.state;
            let result = step(model, optimizer, batch, &self.images.train, learning_rate)?;
            if !result.loss.is_finite() {
                return Err(self.diverged("training", result.loss, number));
            }
            self.last_loss = Some(result.loss);
            cuts += result.cuts;
            let seconds = started.elapsed().as_secs_f64();
            self.state.position.step = number;
            self.state.position.batch += 1;
            let sums = &mut self.state.sums;
            sums.loss += result.loss * images as f64;
            sums.images += images;
            sums.seconds += seconds;
            let loss = result.loss;
            let step = number;
            self.events.step(StepRecord {
                step,
                loss,
                learning_rate,
                images,
                seconds,
                data_wait,
            })?;
        }
        self.state.position.evaluation_due = true;
        if cuts > 0 {
            let message =
                format!("epoch {epoch}: {cuts} steps of an interval were cut to 5 % of it");
            self.events.log(Level::Debug, message)?;
        }
        Ok(true)
    }

    /// Evaluates on all validation images; `None` when a stop was asked for before the end.
    fn evaluate(&mut self, control: &Control) -> Result<Option<(Metrics, f64)>, TrainError> {
        self.events.enter(Phase::Evaluating, self.epoch())?;
        let started = Instant::now();
        if !self.spec.bits.is_full() && self.state.position.step > 0 {
            // Weights that flip between two levels shift a layer's statistics from step to step, and the
            // running ones lag behind: at 2 bits that can cost twenty points of accuracy.
            recompute_batch_norm(&mut self.state.model, self.spec, self.images);
        }
        let (model, events) = (&self.state.model, &mut self.events);
        let step = self.state.position.step;
        let mut go_on = || {
            events.tick()?;
            Ok(!control.stop_requested(step))
        };
        let metrics = evaluate(model, &self.images.validation, &mut go_on)?;
        let Some(metrics) = metrics else { return Ok(None) };
        if !metrics.loss().is_finite() {
            return Err(self.diverged("validation", metrics.loss(), self.state.position.step));
        }
        Ok(Some((metrics, started.elapsed().as_secs_f64())))
    }

    fn diverged(&self, which: &str, loss: f64, step: u64) -> TrainError {
        let last = match self.last_loss {
            Some(loss) => format!("the last finite training loss was {loss:.4}"),
            None => "it was the first step of this attempt".to_owned(),
        };
        TrainError::Diverged(format!(
            "trial {}: the {which} loss became {loss} at step {step} with learning rate {:.3e}; {last}; \
             try a lower learning-rate or more warmup-epochs",
            self.spec.name,
            self.schedule.learning_rate(step.max(1)),
        ))
    }

    /// Tells what the epoch came to, and its layers.
    fn report(&mut self, metrics: &Metrics, seconds: f64) -> Result<(), TrainError> {
        let (epoch, step, sums) = (self.epoch(), self.state.position.step, self.state.sums);
        let trained = sums.images > 0;
        self.events.send(TrialEvent::Epoch(EpochSummary {
            epoch,
            step,
            train_loss: trained.then(|| sums.loss / sums.images as f64),
            validation_loss: metrics.loss(),
            top1: metrics.top1(),
            top5: metrics.top5(),
            images_per_second: trained.then(|| per_second(sums.images, sums.seconds)),
            seconds: sums.seconds + seconds,
        }))?;
        if self.spec.bits.is_full() {
            return Ok(());
        }
        let layers = layer_states(&mut self.state.model);
        self.events.send(TrialEvent::Layers(LayerReport { epoch, step, layers }))
    }

    fn save(&mut self, is_final: bool) -> Result<(), TrainError> {
        let shown = self.state.position.epochs_done + u32::from(self.state.position.batch > 0);
        self.events.enter(Phase::Saving, shown)?;
        let Progressing { model, optimizer, position, sums, .. } = &mut self.state;
        let (position, spec) = (*position, self.spec);
        let header = Header::new(self.spec_hash, spec.model, spec.bits, position, *sums, is_final);
        let mut checkpoint = Checkpoint { header, tensors: Default::default() };
        checkpoint.insert_group(STATE, model.state());
        checkpoint.insert_group(MOMENTUM, optimizer.velocities());
        checkpoint.insert_group(INITIAL, optimizer.initial_half_widths());
        let path = self.directory.save(&checkpoint)?;
        self.saved = Some(position);
        self.saved_at = Instant::now();
        let (epoch, step) = (position.epochs_done, position.step);
        self.events.send(TrialEvent::Checkpoint(CheckpointSaved { epoch, step, is_final, path }))
    }

    fn stop(&mut self) -> Result<Outcome, TrainError> {
        if self.saved != Some(self.state.position) {
            self.save(self.state.over)?;
        }
        self.events.send(TrialEvent::Stopped)?;
        Ok(Outcome::Stopped)
    }

    fn finish(&mut self, metrics: &Metrics) -> Result<Outcome, TrainError> {
        self.events.send(TrialEvent::Finished(FinalResult {
            top1: metrics.top1(),
            top5: metrics.top5(),
            validation_loss: metrics.loss(),
            epochs: self.spec.train.epochs,
            steps: self.state.position.step,
            correct: metrics.correct().to_vec(),
        }))?;
        Ok(Outcome::Finished)
    }
}
