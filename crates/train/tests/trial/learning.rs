//! Trainings learn, in the order of events that readers rely on.

use bitsweep_sweep::{ConvolutionAlgorithm, Level, Metric, Phase, TrialEvent};

use crate::fixture::{finished, folder, request, spec};

#[test]
fn the_loss_falls_and_accuracy_rises_well_above_chance() {
    let folder = folder();
    let mut spec = spec(32);
    spec.data.train_images = Some(640);
    spec.train.epochs = 4;
    let told = finished(&request(&spec, folder.path()));
    let epochs = told.epochs();
    let losses: Vec<f64> = epochs.iter().filter_map(|epoch| epoch.train_loss).collect();
    assert!(losses[3] < 0.6 * losses[0], "{losses:?}");
    assert!(told.result().top1 > 40.0, "{:?}", told.result().top1);
    assert!(told.result().top5 > told.result().top1);
}

#[test]
fn events_come_in_order_and_every_step_once() {
    let folder = folder();
    let told = finished(&request(&spec(32), folder.path()));
    let TrialEvent::Started(started) = &told.events[0] else { panic!("{:?}", told.events[0]) };
    assert_eq!((started.steps_per_epoch, started.total_steps, started.from_step), (10, 20, 0));
    assert_eq!(started.provenance.spec_hash, spec(32).hash());
    assert_eq!((started.provenance.train_images, started.provenance.validation_images), (320, 200));
    for metric in
        [Metric::StepLoss, Metric::LearningRate, Metric::ImagesPerSecond, Metric::DataWaitSeconds]
    {
        let steps: Vec<u64> = told.points(metric).iter().map(|point| point.0).collect();
        assert_eq!(steps, (1..=20).collect::<Vec<_>>(), "{metric:?}");
    }
    let mut last = 0;
    let mut told_of = Vec::new();
    for event in &told.events {
        match event {
            TrialEvent::Points(batch) => last = last.max(*batch.steps.last().unwrap()),
            TrialEvent::Epoch(epoch) => {
                assert_eq!(last, epoch.step, "points come before their epoch");
                told_of.push(("epoch", epoch.step));
            }
            TrialEvent::Checkpoint(saved) => told_of.push(("checkpoint", saved.step)),
            TrialEvent::Finished(result) => told_of.push(("finished", result.steps)),
            _ => {}
        }
    }
    let expected =
        [("epoch", 10), ("checkpoint", 10), ("epoch", 20), ("checkpoint", 20), ("finished", 20)];
    assert_eq!(told_of, expected);
    let finals: Vec<bool> = told.checkpoints().iter().map(|saved| saved.1).collect();
    assert_eq!(finals, [false, true]);
    for phase in [Phase::Training, Phase::Evaluating, Phase::Saving] {
        let entered =
            |event: &TrialEvent| matches!(event, TrialEvent::Progress(p) if p.phase == phase);
        assert!(told.events.iter().any(entered), "{phase:?}");
    }
    let last = told.epochs()[1];
    assert_eq!(
        (told.result().top1, told.result().validation_loss),
        (last.top1, last.validation_loss)
    );
    let ones: u32 = told.result().correct.iter().map(|byte| byte.count_ones()).sum();
    assert_eq!(told.result().correct.len(), 25);
    assert!((f64::from(ones) / 2.0 - last.top1).abs() < 1e-9);
    assert!(told.layers().is_empty(), "full precision has no quantizer to report");
}

#[test]
fn the_log_says_what_is_computed_with_and_when_gradients_were_clipped() {
    let mut spec = spec(32);
    spec.train.epochs = 1;
    spec.train.convolution = ConvolutionAlgorithm::Direct;
    let own = folder();
    let free = finished(&request(&spec, own.path()));
    assert_eq!(free.logged(Level::Info, "convolutions: direct; precision: single").len(), 1);
    assert!(free.logged(Level::Debug, "clipped").is_empty());
    spec.train.gradient_clip_norm = Some(1e-3);
    let own = folder();
    let clipped = finished(&request(&spec, own.path()));
    let said = clipped.logged(Level::Debug, "clipped");
    assert_eq!(said, ["epoch 1: gradients were clipped in 10 steps"]);
    // Steps a thousandth as long learn next to nothing.
    let loss = |told: &crate::fixture::Told| told.epochs()[0].train_loss.unwrap();
    assert!(loss(&clipped) > loss(&free) + 0.05, "{} {}", loss(&clipped), loss(&free));
}
