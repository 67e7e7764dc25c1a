//! One attempt at a trial, from its request to its end.

use bitsweep_sweep::{
    ConvolutionAlgorithm, Level, Phase, Precision, Provenance, Started, TrialEvent,
};

use crate::check;
use crate::checkpoint::Directory;
use crate::control::Control;
use crate::device;
use crate::engine;
use crate::error::TrainError;
use crate::events::{Emit, Events};
use crate::images::Images;
use crate::network;
use crate::provenance;
use crate::report::Reporter;
use crate::request::{Outcome, TrialRequest};
use crate::source::Source;
use crate::start::start;
use crate::trial::Trial;

/// Trains what `request` asks for, telling `emit` every event in order, and stops at the next step when
/// `control` asks.
///
/// `emit` gets `Started` first and `Finished` or `Stopped` last; after an error it gets nothing more, and
/// [`TrainError::failure`] is the event to send.
///
/// # Errors
/// When the images, the checkpoints, the weights or the specification cannot be used, when the loss
/// diverges, when memory runs out, when a checkpoint cannot be written, or when `emit` fails.
pub fn run(
    request: &TrialRequest,
    control: &Control,
    emit: &mut Emit<'_>,
) -> Result<Outcome, TrainError> {
    let spec = &request.spec;
    check::check(spec, request.device.starts_with("cuda"))?;
    // Refused where the process has a pool already: then that one serves.
    let _ = rayon::ThreadPoolBuilder::new().num_threads(request.threads).build_global();
    let device = device::open(&request.device, request.threads)?;
    let images = Images::open(spec)?;
    let source = Source::read(request)?;
    let directory = Directory::open(&request.directory)?;
    let mut model = engine::call("building the network", spec, || {
        network::build(spec, spec.bits, spec.train.output_scale, &device)
    })?;

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
    events.log(Level::Info, computation(request))?;
    if let Some(advice) = check::advice(spec) {
        events.log(Level::Warn, advice)?;
    }
    events.enter(Phase::Calibrating, 0)?;
    let state = engine::call("setting up the network", spec, || {
        start(model, source, request, &images, &device, &mut events)
    })?;
    Trial::new(spec, &images, directory, events, state).run(control)
}

/// What the numbers of this attempt are computed with.
fn computation(request: &TrialRequest) -> String {
    let train = &request.spec.train;
    let convolution = match train.convolution {
        ConvolutionAlgorithm::Winograd => "winograd where it is faster",
        ConvolutionAlgorithm::Direct => "direct",
    };
    let precision = match train.precision {
        Precision::Single => "single",
        Precision::Mixed => "mixed",
    };
    format!("convolutions: {convolution}; precision: {precision}")
}

fn provenance_of(request: &TrialRequest, images: &Images) -> Provenance {
    Provenance {
        program_version: env!("CARGO_PKG_VERSION").to_owned(),
        spec_hash: request.spec.hash(),
        data_fingerprint: images.fingerprint.clone(),
        train_images: images.train_images,
        validation_images: images.validation_images,
        device: device::describe(&request.device),
        threads: rayon::current_num_threads() as u32,
        seed: request.spec.seed,
        host: provenance::host(),
    }
}
