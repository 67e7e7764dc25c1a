//! From the tables of a sweep file to its checked values.

use super::section::{Entry, Section, Source};
use super::{
    DatasetSection, FileError, Order, Override, RetrySettings, SweepFile, TrainPatch, dataset,
};
use crate::limit;
use crate::trial::{Bits, Network, Stem};

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
    let control = match root.take("control") {
        Some(entry) => entry.boolean()?.then(|| entry.mark()),
        None => None,
    };
    let dataset = dataset::read(
        root.require("dataset", "dataset = { name = \"fashion-mnist-mini\" }")?.section()?,
        None,
    )?;
    let training_dataset = match root.take("training-dataset") {
        Some(entry) => {
            let training = dataset::read(entry.section()?, Some(&dataset))?;
            fits(&training, &dataset, file)?;
            Some(training)
        }
        None => None,
    };
    let (width, stem) = match root.take("model") {
        Some(entry) => model(entry.section()?)?,
        None => (1.0, None),
    };
    let init = match root.take("init") {
        Some(entry) => init(entry.section()?, &networks)?,
        None => Vec::new(),
    };
    let mut train_section = root.require("train", "[train] with epochs = 10")?.section()?;
    let train = TrainPatch::read(&mut train_section)?;
    let no_epochs = train_section.error("epochs is missing; add for example: epochs = 10");
    train_section.finish()?;
    if train.epochs.is_none() {
        return Err(no_epochs);
    }
    let overrides = match root.take("override") {
        Some(entry) => entry
            .list(false)?
            .into_iter()
            .map(|entry| override_entry(entry, file, &networks, &bits, &seeds))
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
        training_dataset,
        width,
        stem,
        init,
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

fn model(mut section: Section<'_>) -> Result<(f64, Option<Stem>), FileError> {
    let width = section.take("width").map_or(Ok(1.0), |entry| entry.number(limit::WIDTH))?;
    let stem = match section.take("stem") {
        Some(entry) => Some(entry.choice(&[("imagenet", Stem::ImageNet), ("small", Stem::Small)])?),
        None => None,
    };
    section.finish()?;
    Ok((width, stem))
}

fn override_entry(
    entry: Entry<'_>,
    file: &str,
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
    let patch = TrainPatch::read(&mut section)?;
    section.finish()?;
    if matched_bits == [Bits::FULL]
        && let Some(mark) = patch.of_quantizers()
    {
        return Err(mark.error(file, "is about quantizers, which 32-bit trials do not have"));
    }
    Ok(Override { networks: matched_networks, bits: matched_bits, seeds: matched_seeds, patch })
}

/// Whether one network can take the images of both.
fn fits(training: &DatasetSection, dataset: &DatasetSection, file: &str) -> Result<(), FileError> {
    if training.channels == dataset.channels {
        return Ok(());
    }
    Err(training.mark.error(
        file,
        format_args!(
            "{} has {}-channel images and {} has {}-channel ones; one network cannot take both",
            training.name, training.channels, dataset.name, dataset.channels
        ),
    ))
}

/// Weights files by network.
fn init(
    mut section: Section<'_>,
    networks: &[Network],
) -> Result<Vec<(Network, String)>, FileError> {
    let mut files = Vec::new();
    for (name, network) in NETWORKS {
        let Some(entry) = section.take(name) else { continue };
        if !networks.contains(&network) {
            return Err(entry.error("is for a network that is not in this sweep"));
        }
        let path = entry.string()?;
        let known = [".safetensors", ".pth", ".pt", ".th"];
        if !known.iter().any(|extension| path.ends_with(extension)) {
            return Err(
                entry.error(format_args!("must be a file that ends in {}", known.join(", ")))
            );
        }
        files.push((network, path));
    }
    section.finish()?;
    Ok(files)
}

fn retry(mut section: Section<'_>) -> Result<RetrySettings, FileError> {
    let attempts = section.take("attempts").map_or(Ok(3), |entry| entry.small_integer(1..=100))?;
    let backoff_seconds = section
        .take("backoff-seconds")
        .map_or(Ok(5.0), |entry| entry.number(limit::BACKOFF_SECONDS))?;
    section.finish()?;
    Ok(RetrySettings { attempts, backoff_seconds })
}
