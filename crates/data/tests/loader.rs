//! Batches do not depend on how they are made.

use std::sync::Arc;

use bitsweep_data::{
    Batch, CorruptImages, DataError, Dataset, Loader, LoaderOptions, Normalization, OpenRequest,
    Transform, open,
};

fn embedded() -> bitsweep_data::DatasetPair {
    open(&OpenRequest::new("fashion-mnist-mini", None)).expect("embedded")
}

fn options(dataset: &Dataset, threads: usize) -> LoaderOptions {
    LoaderOptions {
        batch_size: 10,
        resolution: 30,
        transform: Transform::padded_crop(2, true),
        normalization: Normalization::of(dataset).expect("in memory"),
        corrupt_images: CorruptImages::Fail,
        seed: 5,
        shuffle: true,
        drop_last: false,
        threads,
        prefetch: 2,
    }
}

fn loader(threads: usize, change: impl FnOnce(&mut LoaderOptions)) -> Loader {
    let dataset = embedded().train.balanced_subset(103);
    let mut options = options(&dataset, threads);
    change(&mut options);
    Loader::new(Arc::new(dataset), options).expect("fits")
}

fn all(loader: &Loader, epoch: u32, from: usize) -> Vec<Batch> {
    let batches: Result<Vec<Batch>, DataError> = loader.epoch(epoch, from).collect();
    batches.expect("nothing is damaged")
}

#[test]
fn batches_are_the_same_for_any_number_of_threads() {
    let expected = all(&loader(0, |_| ()), 2, 0);
    assert_eq!(expected.len(), 11);
    assert_eq!(expected[10].labels.len(), 3);
    assert_eq!(expected[0].images.len(), 10 * 30 * 30);
    for threads in [1, 2, 5, 40] {
        assert_eq!(all(&loader(threads, |_| ()), 2, 0), expected, "{threads} threads");
    }
}

#[test]
fn an_epoch_resumed_in_its_middle_goes_on_as_the_whole_one() {
    let whole = all(&loader(2, |_| ()), 3, 0);
    for from in [1, 4, 10] {
        assert_eq!(all(&loader(3, |_| ()), 3, from), whole[from..], "from {from}");
    }
    assert!(all(&loader(2, |_| ()), 3, 11).is_empty());
}

#[test]
fn epochs_differ_and_file_order_does_not() {
    let shuffled = loader(1, |_| ());
    assert_ne!(all(&shuffled, 1, 0), all(&shuffled, 2, 0));
    let plain = loader(1, |options| {
        options.shuffle = false;
        options.transform = Transform::padded();
    });
    assert_eq!(all(&plain, 1, 0), all(&plain, 2, 0));
}

#[test]
fn the_last_short_batch_can_be_left_out_unless_it_is_the_only_one() {
    assert_eq!(loader(0, |o| o.drop_last = true).batches_per_epoch(), 10);
    let single = loader(0, |options| {
        options.drop_last = true;
        options.batch_size = 500;
    });
    assert_eq!(single.batches_per_epoch(), 1);
    assert_eq!(all(&single, 1, 0)[0].labels.len(), 103);
}

#[test]
fn leaving_an_epoch_early_ends_its_threads() {
    let dataset = Arc::new(embedded().validation);
    let options = LoaderOptions { resolution: 28, ..options(&dataset, 3) };
    for taken in 0..100 {
        let loader = Loader::new(Arc::clone(&dataset), options.clone()).expect("fits");
        assert_eq!(loader.epoch(1, 0).take(taken).count(), taken);
        drop(loader);
        // Every thread holds the images for as long as it lives.
        assert_eq!(Arc::strong_count(&dataset), 1, "after {taken} batches");
    }
}

#[test]
fn normalized_pixels_have_mean_zero_and_deviation_one() {
    let dataset = embedded().validation;
    let options =
        LoaderOptions { resolution: 28, transform: Transform::padded(), ..options(&dataset, 0) };
    let batches = all(&Loader::new(Arc::new(dataset), options).expect("fits"), 1, 0);
    let values: Vec<f64> = batches.iter().flat_map(|b| &b.images).map(|v| f64::from(*v)).collect();
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / values.len() as f64;
    assert!(mean.abs() < 1e-5 && (variance - 1.0).abs() < 1e-5, "{mean} {variance}");
}

fn refusal(change: impl FnOnce(&mut LoaderOptions)) -> String {
    let dataset = embedded().validation;
    let mut options = options(&dataset, 0);
    change(&mut options);
    Loader::new(Arc::new(dataset), options).err().expect("refused").to_string()
}

#[test]
fn images_larger_than_the_resolution_are_refused_unless_they_are_cropped() {
    let message = refusal(|options| options.resolution = 16);
    assert!(message.contains("28×28") && message.contains("at least 28"), "{message}");
    let cropped = loader(0, |options| {
        options.resolution = 16;
        options.transform = Transform::center_crop(16);
    });
    assert_eq!(all(&cropped, 1, 0)[0].images.len(), 10 * 16 * 16);
}

#[test]
fn normalization_for_other_channels_is_refused() {
    let message = refusal(|options| options.normalization = Normalization::imagenet());
    assert!(message.contains("3 means") && message.contains("1 channels"), "{message}");
}
