//! The course of one trial: steps, evaluations, checkpoints.

use std::time::{Duration, Instant};

use bitsweep_sweep::{
    BatchNormStatistics, CheckpointSaved, EpochSummary, FinalResult, LayerReport, Level, Phase,
    TrialEvent, TrialSpec,
};

use crate::calibration::recompute_batch_norm;
use crate::checkpoint::{Checkpoint, Directory, EpochSums, Header, IMAGES, Position};
use crate::control::Control;
use crate::engine;
use crate::error::TrainError;
use crate::evaluation::evaluate;
use crate::events::Events;
use crate::images::{Images, data_error};
use crate::layers::{collapse_warning, layer_states};
use crate::metrics::Metrics;
use crate::report::{StepRecord, per_second};
use crate::request::Outcome;
use crate::schedule::Schedule;
use crate::start::Progressing;
use crate::step::step;

/// Longest training that a crash can cost, where epochs are longer.
const CHECKPOINT_INTERVAL: Duration = Duration::from_secs(300);

/// One attempt under way.
pub(crate) struct Trial<'a, 'b, 'c> {
    spec: &'a TrialSpec,
    spec_hash: String,
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

impl<'a, 'b, 'c> Trial<'a, 'b, 'c> {
    /// A trial at `state`.
    pub(crate) fn new(
        spec: &'a TrialSpec,
        images: &'a Images,
        directory: Directory,
        events: Events<'b, 'c>,
        state: Progressing,
    ) -> Self {
        let steps_per_epoch = images.train.batches_per_epoch() as u64;
        Self {
            spec,
            spec_hash: spec.hash(),
            images,
            steps_per_epoch,
            schedule: Schedule::new(&spec.train, steps_per_epoch),
            directory,
            events,
            state,
            saved: None,
            saved_at: Instant::now(),
            last_loss: None,
        }
    }

    /// Trains to the end, or until asked to stop.
    pub(crate) fn run(mut self, control: &Control) -> Result<Outcome, TrainError> {
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
            let trained = self.state.position.step > 0;
            let epochs_done = self.state.position.epochs_done + u32::from(trained);
            self.state.position =
                Position { epochs_done, batch: 0, evaluation_due: false, ..self.state.position };
            self.state.sums = EpochSums::default();
            let is_final = epochs_done == self.spec.train.epochs;
            if trained || is_final {
                self.save(is_final)?;
            }
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
        let (mut cut_intervals, mut clipped_steps) = (0, 0);
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
            let batch = batch.map_err(data_error)?;
            let data_wait = started.elapsed().as_secs_f64();
            let count = batch.labels.len() as u64;
            let number = self.state.position.step + 1;
            let learning_rate = self.schedule.learning_rate(number);
            let (spec, images, state) = (self.spec, self.images, &mut self.state);
            let result = engine::call("training", spec, || {
                step(state, batch, &images.train, &spec.train, learning_rate)
            })?;
            if !result.loss.is_finite() {
                return Err(self.diverged("training", result.loss, number));
            }
            self.last_loss = Some(result.loss);
            cut_intervals += result.guards.cut_intervals;
            clipped_steps += u64::from(result.guards.clipped);
            let seconds = started.elapsed().as_secs_f64();
            self.state.position.step = number;
            self.state.position.batch += 1;
            let sums = &mut self.state.sums;
            sums.loss += result.loss * count as f64;
            sums.images += count;
            sums.seconds += seconds;
            let loss = result.loss;
            let step = number;
            self.events.step(StepRecord {
                step,
                loss,
                learning_rate,
                images: count,
                seconds,
                data_wait,
            })?;
        }
        self.state.position.evaluation_due = true;
        if cut_intervals > 0 {
            let limit = 100.0 * self.spec.train.interval_step_limit;
            let message = format!(
                "epoch {epoch}: {cut_intervals} steps of an interval were cut to {limit} % of it"
            );
            self.events.log(Level::Debug, message)?;
        }
        if clipped_steps > 0 {
            let message = format!("epoch {epoch}: gradients were clipped in {clipped_steps} steps");
            self.events.log(Level::Debug, message)?;
        }
        Ok(true)
    }

    /// Evaluates on all validation images; `None` when a stop was asked for before the end.
    fn evaluate(&mut self, control: &Control) -> Result<Option<(Metrics, f64)>, TrainError> {
        self.events.enter(Phase::Evaluating, self.epoch())?;
        let started = Instant::now();
        let (spec, images) = (self.spec, self.images);
        let recomputed = spec.train.batch_norm_statistics == BatchNormStatistics::Recomputed;
        let step = self.state.position.step;
        let (model, events) = (self.state.evaluated(), &mut self.events);
        let mut go_on = || {
            events.tick()?;
            Ok(!control.stop_requested(step))
        };
        let metrics = engine::call("evaluating", spec, || {
            if !spec.bits.is_full() && step > 0 && recomputed {
                // Weights that flip between two levels shift a layer's statistics from step to step, and
                // the running ones lag behind: at 2 bits that can cost twenty points of accuracy.
                recompute_batch_norm(model, spec, images)?;
            }
            evaluate(model, &images.validation, &mut go_on)
        })?;
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
        let Progressing { model, average, optimizer, .. } = &mut self.state;
        let (model, bits) = (average.as_mut().unwrap_or(model), self.spec.bits.activations);
        let layers = engine::call("measuring layers", self.spec, || {
            layer_states(model, optimizer, bits, self.images)
        })?;
        if let Some(warning) = collapse_warning(epoch, &layers) {
            self.events.log(Level::Warn, warning)?;
        }
        self.events.send(TrialEvent::Layers(LayerReport { epoch, step, layers }))
    }

    fn save(&mut self, is_final: bool) -> Result<(), TrainError> {
        let shown = self.state.position.epochs_done + u32::from(self.state.position.batch > 0);
        self.events.enter(Phase::Saving, shown)?;
        let Progressing { position, sums, .. } = self.state;
        let spec = self.spec;
        let quantization = (spec.bits, spec.train.output_scale);
        let header =
            Header::new(&self.spec_hash, spec.model, quantization, position, sums, is_final);
        let mut checkpoint = Checkpoint { header, tensors: Default::default() };
        self.state.write(&mut checkpoint);
        checkpoint.insert_group(IMAGES, self.images.state());
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
