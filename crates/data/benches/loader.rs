//! Images per second of the loader, on the caller's thread alone and on one thread beside it.
//!
//! `BITSWEEP_DATA` names a folder with `imagenette/` (`train/`, `val/`), plain JPEG files; without it those cases are
//! left out.
#![allow(clippy::print_stdout)]

use std::hint::black_box;
use std::ops::ControlFlow;
use std::path::PathBuf;
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
    let folder =
        std::env::var_os("BITSWEEP_DATA").map(|data| PathBuf::from(data).join("imagenette"));
    match folder.filter(|folder| folder.is_dir()) {
        Some(folder) => photographs(&folder),
        None => println!("photographs: left out, BITSWEEP_DATA names no folder with imagenette/"),
    }
}

fn photographs(folder: &std::path::Path) {
    let scratch = tempfile::tempdir().expect("a temporary folder");
    let options = PackOptions { threads: 1, ..PackOptions::default() };
    let start = Instant::now();
    let report = pack(folder, scratch.path(), &options, &mut |_| ControlFlow::Continue(()))
        .expect("sound images")
        .expect("not stopped");
    let rate = report.images as f64 / start.elapsed().as_secs_f64();
    println!("{:<44} 1 threads {rate:>10.0} images/s", "packing to 256");
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
    for threads in [0, 1] {
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
        let best = (0..3)
            .map(|epoch| {
                let start = Instant::now();
                loader.epoch(epoch, 0).for_each(|batch| drop(black_box(batch.expect("sound"))));
                start.elapsed().as_secs_f64()
            })
            .fold(f64::INFINITY, f64::min);
        let rate = dataset.len() as f64 / best;
        println!("{name:<44} {threads} threads {rate:>10.0} images/s");
    }
}
