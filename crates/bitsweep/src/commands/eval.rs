//! `bitsweep eval`: accuracy of a weights file on images.

use crate::cli;
use crate::failure::{Ending, Failure};

#[cfg(not(feature = "train"))]
pub(crate) fn run(_: &cli::Eval) -> Result<Ending, Failure> {
    Err(Failure::Input("this bitsweep was built without training".to_owned()))
}

#[cfg(feature = "train")]
pub(crate) fn run(arguments: &cli::Eval) -> Result<Ending, Failure> {
    use std::io::{IsTerminal as _, stderr};

    use bitsweep_train::eval::eval;

    let request = measured::request(arguments)?;
    let mut progress = measured::Progress::new(stderr().is_terminal() && !arguments.json);
    let report = eval(&request, |done, total| progress.show(done, total));
    progress.finish();
    let report = report.map_err(measured::failure)?;
    if arguments.json {
        println!("{}", measured::json(&report));
    } else {
        print!("{}", measured::text(&report));
    }
    Ok(Ending::Done)
}

#[cfg(feature = "train")]
mod measured {
    use std::fmt::Write as _;
    use std::time::{Duration, Instant};

    use bitsweep_sweep::AttemptEnd;
    use bitsweep_train::TrainError;
    use bitsweep_train::eval::{EvalReport, EvalRequest};
    use serde_json::{Value, json};

    use crate::cli;
    use crate::failure::Failure;

    /// Between two drawings of the progress line.
    const REDRAW: Duration = Duration::from_millis(100);
    /// Cells of the bar.
    const CELLS: u64 = 30;

    pub(super) fn request(arguments: &cli::Eval) -> Result<EvalRequest, Failure> {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let normalization = match (&arguments.mean, &arguments.deviation) {
            (Some(mean), Some(deviation)) => Some((mean.clone(), deviation.clone())),
            (None, None) => None,
            _ => {
                let message = "--mean and --deviation belong together";
                return Err(Failure::Input(message.to_owned()));
            }
        };
        Ok(EvalRequest {
            weights: arguments.weights.clone(),
            network: arguments.network,
            data: arguments.data.clone(),
            data_set: arguments.data_set.clone(),
            class_index: arguments.class_index.clone(),
            images: arguments.images.map(|count| count as usize),
            resolution: arguments.resolution,
            resize: arguments.resize,
            normalization,
            skip_corrupt: arguments.skip_corrupt,
            batch_size: arguments.batch_size as usize,
            device: arguments.device.clone(),
            threads: arguments.threads.map_or(cores, |count| count as usize),
        })
    }

    /// Files and options are bad input, everything else is not.
    pub(super) fn failure(error: TrainError) -> Failure {
        match error.reason() {
            AttemptEnd::BadInput => Failure::Input(error.to_string()),
            _ => Failure::Other(anyhow::anyhow!("{error}")),
        }
    }

    /// One line on standard error that is drawn over itself.
    pub(super) struct Progress {
        is_shown: bool,
        started: Instant,
        drawn: Option<Instant>,
    }

    impl Progress {
        pub(super) fn new(is_shown: bool) -> Self {
            Self { is_shown, started: Instant::now(), drawn: None }
        }

        pub(super) fn show(&mut self, done: u64, total: u64) {
            let now = Instant::now();
            if !self.is_shown || self.drawn.is_some_and(|drawn| now - drawn < REDRAW) {
                return;
            }
            self.drawn = Some(now);
            let full = done * CELLS / total.max(1);
            let bar: String = (0..CELLS).map(|cell| if cell < full { '█' } else { '░' }).collect();
            let speed = per_second(done, self.started.elapsed());
            eprint!("\r{bar} {done}/{total} images, {speed:.1}/s\x1b[K");
        }

        pub(super) fn finish(&self) {
            if self.drawn.is_some() {
                eprint!("\r\x1b[K");
            }
        }
    }

    fn per_second(images: u64, time: Duration) -> f64 {
        images as f64 / time.as_secs_f64().max(1e-9)
    }

    pub(super) fn json(report: &EvalReport) -> Value {
        let description = &report.description;
        json!({
            "network": description.model.network,
            "weight_bits": description.bits.weights,
            "activation_bits": description.bits.activations,
            "resolution": description.resolution,
            "resize": description.resize,
            "images": report.images,
            "top1": report.top1,
            "top5": report.top5,
            "loss": report.loss,
            "seconds": report.time.as_secs_f64(),
            "images_per_second": per_second(report.images, report.time),
            "recorded_top1": report.recorded_top1,
            "notes": report.notes,
            "skipped": report.skipped.iter().map(|(file, problem)| json!({ "file": file, "problem": problem }))
                .collect::<Vec<_>>(),
        })
    }

    pub(super) fn text(report: &EvalReport) -> String {
        let mut text = String::new();
        let description = &report.description;
        for note in &report.notes {
            let _ = writeln!(text, "note: {note}");
        }
        for (file, problem) in &report.skipped {
            let _ =
                writeln!(text, "cannot be decoded, another image in its place: {file}: {problem}");
        }
        let resized = description.resize.map_or_else(String::new, |side| format!(" of {side}"));
        let _ = writeln!(
            text,
            "{} at {} bits, {} classes, images of {}{resized} pixels",
            description.model.network,
            description.bits,
            description.model.classes,
            description.resolution.unwrap_or_default(),
        );
        let recorded =
            report.recorded_top1.map_or_else(String::new, |top1| format!(" (recorded {top1:.2})"));
        let _ = writeln!(
            text,
            "top-1 {:.2} %{recorded}, top-5 {:.2} %, loss {:.4}",
            report.top1, report.top5, report.loss
        );
        let _ = writeln!(
            text,
            "{} images in {:.1} s, {:.1} images/s",
            report.images,
            report.time.as_secs_f64(),
            per_second(report.images, report.time)
        );
        text
    }
}
