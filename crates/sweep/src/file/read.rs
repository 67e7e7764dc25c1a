//! From the tables of a sweep file to its checked values.

use super::section::{Entry, Section, Source};
use super::{DatasetSection, FileError, Order, Override, RetrySettings, SweepFile, TrainPatch};
use crate::dataset::{KnownDataset, known_datasets};
use crate::trial::{Bits, Gamma, IntervalInit, Network, Stem};

const NETWORKS: [(&str, Network); 3] = [
    ("resnet18", Network::ResNet18),
    ("resnet34", Network::ResNet34),
    ("alexnet", Network::AlexNet),
];

pub(super) fn sweep_file(text: &str, file: &str) -> Result<SweepFile, FileError> {
    let mut root = Section::root(Source { file, text })?;
    let name = sweep_name(&root.require("name", "name = \"my-sweep\"")?)?;
    let networks = networks(root.require("networks", "networks = [\"resnet18\"]")?)?;
    let bits = all_bits(root.require("bits", "bits = [32, 4, 3, 2]")?)?;
    let seeds = match root.take("seeds") {
        Some(entry) => distinct(entry, false, |e| e.integer(0..=u64::from(u32::MAX)))?,
        None => vec![0],
    };
    let order = match root.take("order") {
        Some(entry) => {
            entry.choice(&[("progressive", Order::Progressive), ("direct", Order::Direct)])?
        }
        None => Order::Progressive,
    };
    let control = root.take("control").map_or(Ok(false), |entry| entry.boolean())?;
    let dataset = dataset(
        root.require("dataset", "dataset = { name = \"fashion-mnist-mini\" }")?.section()?,
    )?;
    let (width, stem) = match root.take("model") {
        Some(entry) => model(entry.section()?)?,
        None => (1.0, None),
    };
    let mut train_section = root.require("train", "[train] with epochs = 10")?.section()?;
    let train = train_patch(&mut train_section)?;
    let no_epochs = train_section.error("epochs is missing; add for example: epochs = 10");
    train_section.finish()?;
    if train.epochs.is_none() {
        return Err(no_epochs);
    }
    let overrides = match root.take("override") {
        Some(entry) => entry
            .list(false)?
            .into_iter()
            .map(|entry| override_entry(entry, &networks, &bits, &seeds))
            .collect::<Result<_, _>>()?,
        None => Vec::new(),
    };
    let retry = match root.take("retry") {
        Some(entry) => retry(entry.section()?)?,
        None => RetrySettings { attempts: 3, backoff_seconds: 5.0 },
    };
    root.finish()?;
    Ok(SweepFile {
        file: file.to_owned(),
        name,
        networks,
        bits,
        seeds,
        order,
        control,
        dataset,
        width,
        stem,
        train,
        overrides,
        retry,
    })
}

/// Names become part of identifiers, so they are kept plain.
fn sweep_name(entry: &Entry<'_>) -> Result<String, FileError> {
    let name = entry.string()?;
    let plain = name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    let starts_well = name.starts_with(|c: char| c.is_ascii_alphanumeric());
    if plain && starts_well && name.len() <= 40 {
        Ok(name)
    } else {
        Err(entry.error("must be 1 to 40 lower-case letters, digits and hyphens"))
    }
}

fn networks(entry: Entry<'_>) -> Result<Vec<Network>, FileError> {
    distinct(entry, false, |e| e.choice(&NETWORKS))
}

/// Reads the elements of a list that must not be empty nor name anything twice.
fn distinct<T: PartialEq>(
    entry: Entry<'_>,
    lone: bool,
    read: impl Fn(&Entry<'_>) -> Result<T, FileError>,
) -> Result<Vec<T>, FileError> {
    let empty = entry.error("is empty; name at least one");
    let mut values = Vec::new();
    for element in entry.list(lone)? {
        let value = read(&element)?;
        if values.contains(&value) {
            return Err(element.error("is there twice"));
        }
        values.push(value);
    }
    if values.is_empty() { Err(empty) } else { Ok(values) }
}

fn all_bits(entry: Entry<'_>) -> Result<Vec<Bits>, FileError> {
    let missing =
        entry.error("32 is missing; every other width is compared with it and starts from it");
    let mut bits = distinct(entry, false, one_bits)?;
    if !bits.contains(&Bits::FULL) {
        return Err(missing);
    }
    bits.sort_unstable_by(|a, b| b.cmp(a));
    Ok(bits)
}

/// `4`, or `{ weights = 2, activations = 32 }`.
fn one_bits(entry: &Entry<'_>) -> Result<Bits, FileError> {
    let width = |entry: &Entry<'_>| {
        let bits = entry.integer(0..=u64::from(u32::MAX))?;
        u8::try_from(bits)
            .ok()
            .filter(|b| Bits::is_valid_width(*b))
            .ok_or_else(|| entry.error("must be 2 to 8, or 32 for full precision"))
    };
    if !entry.is_table() {
        return width(entry).map(Bits::both);
    }
    let mut section = entry.clone().section()?;
    let weights = width(&section.require("weights", "weights = 2")?)?;
    let activations = width(&section.require("activations", "activations = 32")?)?;
    section.finish()?;
    Ok(Bits { weights, activations })
}

fn dataset(mut section: Section<'_>) -> Result<DatasetSection, FileError> {
    let choices: Vec<(&str, KnownDataset)> =
        known_datasets().iter().map(|d| (d.name, *d)).collect();
    let known = section.require("name", "name = \"fashion-mnist-mini\"")?.choice(&choices)?;
    let path = match section.take("path") {
        Some(entry) if known.embedded => {
            return Err(
                entry.error(format_args!("{} is part of bitsweep and has no path", known.name))
            );
        }
        Some(entry) => Some(entry.string()?),
        None if known.needs_path => {
            return Err(section.error(format_args!(
                "path is missing; {} must be on the worker's disk: path = \"/data/{}\"",
                known.name, known.name
            )));
        }
        None => None,
    };
    let resolution = match section.take("resolution") {
        Some(entry) => Some(entry.integer(u64::from(known.side)..=1024)?),
        None => None,
    };
    let images = |entry: Option<Entry<'_>>, all: u32| -> Result<Option<u32>, FileError> {
        let Some(entry) = entry else { return Ok(None) };
        Ok(Some(narrow(entry.integer(u64::from(known.classes)..=u64::from(all))?)))
    };
    let train_images = images(section.take("train-images"), known.train_images)?;
    let validation_images = images(section.take("validation-images"), known.validation_images)?;
    let flip = section.take("flip").map_or(Ok(true), |entry| entry.boolean())?;
    let crop_padding = section.take("crop-padding").map_or(Ok(0), |entry| entry.integer(0..=16))?;
    section.finish()?;
    Ok(DatasetSection {
        name: known.name.to_owned(),
        path,
        resolution: resolution.map(narrow),
        train_images,
        validation_images,
        flip,
        crop_padding: narrow(crop_padding),
    })
}

fn model(mut section: Section<'_>) -> Result<(f64, Option<Stem>), FileError> {
    let width = section.take("width").map_or(Ok(1.0), |entry| {
        entry
            .number("a number from 0.015625 (one channel) to 4", |w| (0.015_625..=4.0).contains(&w))
    })?;
    let stem = match section.take("stem") {
        Some(entry) => Some(entry.choice(&[("imagenet", Stem::ImageNet), ("small", Stem::Small)])?),
        None => None,
    };
    section.finish()?;
    Ok((width, stem))
}

/// Takes the training keys; the caller finishes the section.
fn train_patch(section: &mut Section<'_>) -> Result<TrainPatch, FileError> {
    let mut integer = |key: &str, range| -> Result<Option<u32>, FileError> {
        section.take(key).map(|entry| entry.integer(range).map(narrow)).transpose()
    };
    let epochs = integer("epochs", 1..=100_000)?;
    let batch_size = integer("batch-size", 2..=65_536)?;
    let calibration_images = integer("calibration-images", 64..=1_000_000)?;
    let mut number =
        |key: &str, wanted, valid: fn(f64) -> bool| -> Result<Option<f64>, FileError> {
            section.take(key).map(|entry| entry.number(wanted, valid)).transpose()
        };
    let positive = "a number above 0";
    let fraction = "a number from 0 to 1";
    Ok(TrainPatch {
        epochs,
        batch_size,
        calibration_images,
        learning_rate: number("learning-rate", positive, |v| v > 0.0)?,
        final_learning_rate_fraction: number("final-learning-rate-fraction", fraction, |v| {
            (0.0..=1.0).contains(&v)
        })?,
        warmup_epochs: number("warmup-epochs", "a number from 0", |v| v >= 0.0)?,
        momentum: number("momentum", "a number from 0 to below 1", |v| (0.0..1.0).contains(&v))?,
        weight_decay: number("weight-decay", "a number from 0", |v| v >= 0.0)?,
        quantizer_learning_rate_scale: number(
            "quantizer-learning-rate-scale",
            "a number from 0",
            |v| v >= 0.0,
        )?,
        nesterov: section.take("nesterov").map(|entry| entry.boolean()).transpose()?,
        gamma: section
            .take("gamma")
            .map(|entry| {
                entry.choice(&[
                    ("auto", None),
                    ("fixed", Some(Gamma::Fixed)),
                    ("learned", Some(Gamma::Learned)),
                ])
            })
            .transpose()?,
        interval_init: section
            .take("interval-init")
            .map(|entry| {
                entry
                    .choice(&[("search", IntervalInit::Search), ("inherit", IntervalInit::Inherit)])
            })
            .transpose()?,
    })
}

fn override_entry(
    entry: Entry<'_>,
    networks: &[Network],
    bits: &[Bits],
    seeds: &[u64],
) -> Result<Override, FileError> {
    let mut section = entry.section()?;
    let mut matcher = section.require("match", "match = { bits = 2 }")?.section()?;
    let of_sweep = |known: bool, entry: &Entry<'_>| {
        if known {
            Ok(())
        } else {
            Err(entry.error("is not in this sweep, so it would match nothing"))
        }
    };
    let matched_networks = match matcher.take("network") {
        Some(entry) => distinct(entry, true, |e| {
            let network = e.choice(&NETWORKS)?;
            of_sweep(networks.contains(&network), e)?;
            Ok(network)
        })?,
        None => Vec::new(),
    };
    let matched_bits = match matcher.take("bits") {
        Some(entry) => distinct(entry, true, |e| {
            let width = one_bits(e)?;
            of_sweep(bits.contains(&width), e)?;
            Ok(width)
        })?,
        None => Vec::new(),
    };
    let matched_seeds = match matcher.take("seed") {
        Some(entry) => distinct(entry, true, |e| {
            let seed = e.integer(0..=u64::from(u32::MAX))?;
            of_sweep(seeds.contains(&seed), e)?;
            Ok(seed)
        })?,
        None => Vec::new(),
    };
    matcher.finish()?;
    let patch = train_patch(&mut section)?;
    section.finish()?;
    Ok(Override { networks: matched_networks, bits: matched_bits, seeds: matched_seeds, patch })
}

fn retry(mut section: Section<'_>) -> Result<RetrySettings, FileError> {
    let attempts = section.take("attempts").map_or(Ok(3), |entry| entry.integer(1..=100))?;
    let backoff_seconds = section.take("backoff-seconds").map_or(Ok(5.0), |entry| {
        entry.number("a number of seconds from 0 to 86400", |s| (0.0..=86_400.0).contains(&s))
    })?;
    section.finish()?;
    Ok(RetrySettings { attempts: narrow(attempts), backoff_seconds })
}

/// Ranges given to [`Entry::integer`] for 32-bit fields end within 32 bits.
fn narrow(value: u64) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}
