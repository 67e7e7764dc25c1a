//! `bitsweep data`: packs folders of images, and tells what a data set holds.

use std::io::IsTerminal as _;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::{Duration, Instant};

use bitsweep_data::{
    CorruptImages, DataError, Dataset, OpenRequest, PackOptions, PackProgress, PackReport,
};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use crate::cli;
use crate::failure::{Ending, Failure};
use crate::signals;

/// Time between two lines of progress where there is no terminal.
const LINE_INTERVAL: Duration = Duration::from_secs(10);
/// Damaged files that are named before it is said how many more there are.
const NAMED: usize = 20;

pub(crate) async fn run(arguments: &cli::Data) -> Result<Ending, Failure> {
    match &arguments.command {
        cli::DataCommand::Pack(pack) => run_pack(pack).await,
        cli::DataCommand::Info(info) => run_info(info),
    }
}

async fn run_pack(arguments: &cli::DataPack) -> Result<Ending, Failure> {
    let threads = arguments.threads.map_or_else(
        || std::thread::available_parallelism().map_or(1, usize::from),
        |threads| threads as usize,
    );
    let options = PackOptions {
        size: (!arguments.keep_size).then_some(arguments.size),
        threads,
        corrupt_images: match arguments.corrupt_images {
            cli::Corrupt::Fail => CorruptImages::Fail,
            cli::Corrupt::Skip => CorruptImages::Skip,
        },
        ..PackOptions::default()
    };
    let stop = signals::stop_on_signal()?;
    let (folder, out) = (arguments.folder.clone(), arguments.out.clone());
    let packing = tokio::task::spawn_blocking(move || {
        let mut shown = Shown::new();
        let result = bitsweep_data::pack(&folder, &out, &options, &mut |progress| {
            shown.update(progress, Instant::now());
            if stop.is_cancelled() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        shown.end();
        result
    });
    let report = packing.await.map_err(anyhow::Error::from)?.map_err(failure)?;
    let Some(report) = report else {
        eprintln!("bitsweep: stopped; the same command goes on where this one ended");
        return Ok(Ending::Stopped);
    };
    print_report(&report, &arguments.out);
    Ok(Ending::Done)
}

fn print_report(report: &PackReport, out: &Path) {
    println!(
        "{} images, {} in {} shards: {}",
        report.images,
        bytes(report.bytes),
        report.shards,
        out.display()
    );
    let skipped = report.skipped.iter().map(|file| (file.file.as_str(), file.problem.as_str()));
    print_damaged("left out", skipped);
}

fn print_damaged<'a>(what: &str, files: impl ExactSizeIterator<Item = (&'a str, &'a str)>) {
    let count = files.len();
    if count == 0 {
        return;
    }
    println!("{count} damaged files {what}:");
    for (file, problem) in files.take(NAMED) {
        println!("  {file}: {problem}");
    }
    if count > NAMED {
        println!("  and {} more", count - NAMED);
    }
}

/// Progress for people: a bar on a terminal, a line now and then elsewhere.
struct Shown {
    bar: Option<ProgressBar>,
    last_line: Option<Instant>,
}

impl Shown {
    fn new() -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let template = "{wide_bar} {human_pos}/{human_len} images, {per_sec}, {eta} left{msg}";
            let style = ProgressStyle::with_template(template);
            ProgressBar::new(0).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
        });
        Self { bar, last_line: None }
    }

    fn update(&mut self, progress: PackProgress, now: Instant) {
        let skipped = match progress.skipped {
            0 => String::new(),
            count => format!(", {count} damaged"),
        };
        if let Some(bar) = &self.bar {
            if bar.length() != Some(progress.total as u64) {
                bar.set_length(progress.total as u64);
                // Images of an earlier run do not count for the speed.
                bar.set_position(progress.done as u64);
                bar.reset_eta();
            }
            bar.set_message(skipped);
            bar.set_position(progress.done as u64);
            return;
        }
        let due = self.last_line.is_none_or(|last| now.duration_since(last) >= LINE_INTERVAL);
        if due || progress.done == progress.total {
            eprintln!("{} of {} images{skipped}", progress.done, progress.total);
            self.last_line = Some(now);
        }
    }

    fn end(self) {
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
    }
}

fn run_info(arguments: &cli::DataInfo) -> Result<Ending, Failure> {
    let packed = arguments.path.join("index.json").exists();
    let name = if packed { "packed" } else { "image-folder" };
    let request = OpenRequest::new(name, Some(&arguments.path));
    // A folder of validation images alone is a data set for evaluation.
    let splits = match bitsweep_data::open(&request) {
        Ok(pair) => vec![("train", pair.train), ("validation", pair.validation)],
        Err(error) => match bitsweep_data::open_validation(&request) {
            Ok(validation) => vec![("validation", validation)],
            Err(_) => return Err(failure(error)),
        },
    };
    if packed && arguments.verify {
        bitsweep_data::verify_packed(&arguments.path).map_err(failure)?;
    }
    let classes = splits.last().map(|(_, set)| set.class_names().to_vec()).unwrap_or_default();
    if arguments.json {
        let splits = splits
            .iter()
            .map(|(split, set)| {
                Ok(json!({
                    "split": split,
                    "images": set.len(),
                    "in_memory": set.in_memory(),
                    "height": set.sizes().map(|[height, _]| height),
                    "width": set.sizes().map(|[_, width]| width),
                    "damaged": set.corrupt_images().len(),
                    "fingerprint": set.fingerprint().map_err(failure)?,
                }))
            })
            .collect::<Result<Vec<_>, Failure>>()?;
        println!("{}", json!({ "kind": name, "classes": classes, "splits": splits }));
        return Ok(Ending::Done);
    }
    println!("{}: {name}, {} classes: {}", arguments.path.display(), classes.len(), some(&classes));
    for (split, set) in &splits {
        print_split(split, set)?;
    }
    if packed && arguments.verify {
        println!("every shard has the hash it was written with");
    }
    Ok(Ending::Done)
}

fn print_split(split: &str, set: &Dataset) -> Result<(), Failure> {
    let range = |[low, high]: [usize; 2]| {
        if low == high { low.to_string() } else { format!("{low} to {high}") }
    };
    let sizes = set.sizes().map_or_else(
        || "decoded as they are needed".to_owned(),
        |[height, width]| format!("{} high, {} wide", range(height), range(width)),
    );
    println!("{split}: {} images, {sizes}", set.len());
    println!("  fingerprint {}", set.fingerprint().map_err(failure)?);
    let damaged = set.corrupt_images();
    let named = damaged.iter().map(|(file, problem)| (file.as_str(), problem.as_str()));
    print_damaged("among them", named);
    Ok(())
}

/// The first few names.
fn some(names: &[String]) -> String {
    const SHOWN: usize = 5;
    let shown = names.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
    if names.len() > SHOWN { format!("{shown}, ...") } else { shown }
}

fn bytes(count: u64) -> String {
    const UNITS: [(u64, &str); 3] = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    UNITS.into_iter().find(|(size, _)| count >= *size).map_or_else(
        || format!("{count} bytes"),
        |(size, unit)| format!("{:.1} {unit}", count as f64 / size as f64),
    )
}

/// A disk that does not take what is written is no fault of the arguments.
fn failure(error: DataError) -> Failure {
    match error {
        DataError::Unwritable { .. } => Failure::Other(error.into()),
        _ => Failure::Input(error.to_string()),
    }
}
