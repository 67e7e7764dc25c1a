//! Images that the loader prepares in a second of one core, and those that come from one thread beside the caller's.
//!
//! The first figure counts processor time, so that other programs do not change it; the second one the clock's.
//! `BITSWEEP_DATA` names a folder with `imagenette-224-subset.tar` (`imagenette/train/`, `imagenette/val/`); without it
//! photographs are left out.
#![allow(clippy::print_stdout)]

use std::hint::black_box;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Instant;

use bitsweep_data::{
    ColorJitter, CorruptImages, Dataset, Loader, LoaderOptions, Normalization, OpenRequest,
    PackOptions, Transform, open, pack,
};

/// Photographs of an epoch.
const IMAGES: usize = 2000;

fn main() {
    let embedded = open(&OpenRequest::new("fashion-mnist-mini", None)).expect("embedded").train;
    for (name, resolution, transform) in [
        ("28×28, plain", 28, Transform::padded()),
        ("28×28, flip", 28, Transform::padded_crop(0, true)),
        ("28×28, flip and crop", 28, Transform::padded_crop(2, true)),
        ("32×32, flip and crop", 32, Transform::padded_crop(4, true)),
    ] {
        measure(name, &embedded, resolution, transform);
    }
    let archive = std::env::var_os("BITSWEEP_DATA")
        .map(|data| PathBuf::from(data).join("imagenette-224-subset.tar"));
    match archive.filter(|archive| archive.is_file()) {
        Some(archive) => photographs(&archive),
        None => println!("photographs: left out, BITSWEEP_DATA has no imagenette-224-subset.tar"),
    }
}

fn photographs(archive: &Path) {
    let unpacked = tempfile::tempdir().expect("a temporary folder");
    let mut tar = Command::new("tar");
    tar.arg("-xf").arg(archive).arg("-C").arg(unpacked.path());
    assert!(tar.status().expect("tar runs").success());
    let folder = &unpacked.path().join("imagenette");
    let scratch = tempfile::tempdir().expect("a temporary folder");
    let options = PackOptions { threads: 1, ..PackOptions::default() };
    let start = Instant::now();
    let report = pack(folder, scratch.path(), &options, &mut |_| ControlFlow::Continue(()))
        .expect("sound images")
        .expect("not stopped");
    let rate = report.images as f64 / start.elapsed().as_secs_f64();
    println!("{:<52} {rate:>9.0} by the clock", "packing to 256");
    let open = |name, path, memory_limit| {
        let request = OpenRequest { name, path: Some(path), memory_limit };
        open(&request).expect("a sound data set").train
    };
    let jitter = ColorJitter { brightness: 0.4, contrast: 0.4, saturation: 0.4, hue: 0.1 };
    let jittered = Transform { color_jitter: Some(jitter), ..Transform::random_resized_crop() };
    for (kind, set) in [
        ("JPEG files", open("image-folder", folder, 0)),
        ("packed", open("packed", scratch.path(), 0)),
        ("in memory", open("image-folder", folder, 1 << 30)),
    ] {
        for (name, transform) in [
            ("random resized crop, flip", Transform::random_resized_crop()),
            ("the same, colour jitter", jittered),
            ("centre crop", Transform::center_crop(224)),
        ] {
            measure(&format!("224×224 {kind}, {name}"), &set, 224, transform);
        }
    }
}

fn measure(name: &str, dataset: &Dataset, resolution: usize, transform: Transform) {
    let dataset = dataset.balanced_subset(if resolution < 100 { 10_000 } else { IMAGES });
    let normalization = match dataset.channels() {
        1 => Normalization::of(&dataset).expect("in memory"),
        _ => Normalization::imagenet(),
    };
    let epoch = |threads, epoch| {
        let options = LoaderOptions {
            batch_size: 64,
            resolution,
            transform,
            normalization: normalization.clone(),
            corrupt_images: CorruptImages::Fail,
            seed: 0,
            shuffle: true,
            drop_last: false,
            threads,
            prefetch: 2,
        };
        let loader = Loader::new(Arc::new(dataset.clone()), options).expect("fits");
        let (start, processor) = (Instant::now(), processor_seconds());
        loader.epoch(epoch, 0).for_each(|batch| drop(black_box(batch.expect("sound"))));
        let clock = start.elapsed().as_secs_f64();
        (clock, processor.zip(processor_seconds()).map_or(clock, |(start, end)| end - start))
    };
    let best = |threads: usize, figure: fn((f64, f64)) -> f64| {
        let fastest = (0..3).map(|n| figure(epoch(threads, n))).fold(f64::INFINITY, f64::min);
        dataset.len() as f64 / fastest
    };
    let (core, beside) = (best(0, |(_, processor)| processor), best(1, |(clock, _)| clock));
    println!("{name:<52} {core:>9.0} a core {beside:>9.0} by the clock");
}

/// Time that this thread has spent on a processor, where the system tells.
fn processor_seconds() -> Option<f64> {
    let statistics = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    Some(statistics.split(' ').next()?.parse::<f64>().ok()? / 1e9)
}
