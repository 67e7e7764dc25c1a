//! Images per second of the loader, with augmentation, one thread's worth of work.
#![allow(clippy::print_stdout)]

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use bitsweep_data::{Augmentation, Loader, LoaderOptions, Normalization, open};

fn main() {
    let dataset = Arc::new(open("fashion-mnist-mini", None).expect("embedded").train);
    let normalization = Normalization::of(&dataset);
    for (name, resolution, augmentation) in [
        ("28×28, plain", 28, None),
        ("28×28, flip", 28, Some(Augmentation { flip: true, crop_padding: 0 })),
        ("28×28, flip and crop", 28, Some(Augmentation { flip: true, crop_padding: 2 })),
        ("32×32, flip and crop", 32, Some(Augmentation { flip: true, crop_padding: 4 })),
    ] {
        for threads in [0, 1] {
            let options = LoaderOptions {
                batch_size: 64,
                resolution,
                normalization: normalization.clone(),
                augmentation,
                seed: 0,
                shuffle: true,
                drop_last: false,
                threads,
                prefetch: 2,
            };
            let loader = Loader::new(Arc::clone(&dataset), options).expect("fits");
            let best = (0..5)
                .map(|epoch| {
                    let start = Instant::now();
                    loader.epoch(epoch, 0).for_each(|batch| drop(black_box(batch)));
                    start.elapsed().as_secs_f64()
                })
                .fold(f64::INFINITY, f64::min);
            let rate = dataset.len() as f64 / best;
            println!("{name:<24} {threads} threads {rate:>10.0} images/s");
        }
    }
}
