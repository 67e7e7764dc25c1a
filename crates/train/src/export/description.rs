//! What a network is, as the text entries of an export.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::str::FromStr;

use bitsweep_data::Normalization;
use bitsweep_sweep::{Bits, ConvolutionAlgorithm, ModelSpec, Network, OutputScale, Stem};

use crate::checkpoint::Checkpoint;

/// The layout that this program writes and reads.
pub const FORMAT: u32 = 1;

/// Everything that a network needs beside its tensors to be rebuilt and evaluated.
#[derive(Clone, Debug, PartialEq)]
pub struct Description {
    /// The network.
    pub model: ModelSpec,
    /// Its bit-widths.
    pub bits: Bits,
    /// Scale of its quantized layers' outputs.
    pub output_scale: OutputScale,
    /// How its convolutions were computed: another way gives the same numbers but for rounding.
    pub convolution: ConvolutionAlgorithm,
    /// Side of its images, in pixels.
    pub resolution: Option<u32>,
    /// Shorter side that images are resized to before the centre crop; `None`: not resized.
    pub resize: Option<u32>,
    /// How its images are normalized.
    pub normalization: Option<Normalization>,
    /// The data set it was evaluated on.
    pub data: Option<String>,
    /// How many of its images, balanced over the classes.
    pub validation_images: Option<u64>,
}

/// The full name of an entry.
pub(super) fn key(name: &str) -> String {
    format!("bitsweep.{name}")
}

impl Description {
    /// The entries of an export.
    pub fn to_metadata(&self) -> BTreeMap<String, String> {
        let stem = match self.model.stem {
            Stem::ImageNet => "imagenet",
            Stem::Small => "small",
        };
        let output_scale = match self.output_scale {
            OutputScale::None => "none",
            OutputScale::Interval => "interval",
        };
        let convolution = match self.convolution {
            ConvolutionAlgorithm::Winograd => "winograd",
            ConvolutionAlgorithm::Direct => "direct",
        };
        let mut entries = vec![
            ("format", FORMAT.to_string()),
            ("network", self.model.network.to_string()),
            ("width_multiplier", self.model.width.to_string()),
            ("stem", stem.to_owned()),
            ("in_channels", self.model.in_channels.to_string()),
            ("classes", self.model.classes.to_string()),
            ("weight_bits", self.bits.weights.to_string()),
            ("activation_bits", self.bits.activations.to_string()),
            ("output_scale", output_scale.to_owned()),
            ("convolution", convolution.to_owned()),
        ];
        let numbers =
            |values: &[f32]| values.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
        entries.extend(self.resolution.map(|side| ("resolution", side.to_string())));
        entries.extend(self.resize.map(|side| ("resize", side.to_string())));
        entries.extend(self.data.clone().map(|name| ("data", name)));
        entries
            .extend(self.validation_images.map(|count| ("validation_images", count.to_string())));
        if let Some(Normalization { mean, deviation }) = &self.normalization {
            entries.push(("normalization_mean", numbers(mean)));
            entries.push(("normalization_deviation", numbers(deviation)));
        }
        entries.into_iter().map(|(name, value)| (key(name), value)).collect()
    }

    /// Reads the entries of an export; `None` where the file is none.
    ///
    /// # Errors
    /// When an entry that must be there is not, or is not understood.
    pub fn from_metadata(metadata: &BTreeMap<String, String>) -> Result<Option<Self>, String> {
        let entries = Entries(metadata);
        if !metadata.contains_key(&key("format")) {
            return Ok(None);
        }
        let format: u32 = entries.number("format")?;
        if format != FORMAT {
            return Err(format!(
                "exported in format {format}, this program reads format {FORMAT}; export it again"
            ));
        }
        let model = ModelSpec {
            network: entries.one_of("network", Network::from_name)?,
            width: entries.number("width_multiplier")?,
            stem: entries.one_of("stem", |name| match name {
                "imagenet" => Some(Stem::ImageNet),
                "small" => Some(Stem::Small),
                _ => None,
            })?,
            in_channels: entries.number("in_channels")?,
            classes: entries.number("classes")?,
        };
        let bits = Bits {
            weights: entries.number("weight_bits")?,
            activations: entries.number("activation_bits")?,
        };
        let output_scale = entries.one_of("output_scale", |name| match name {
            "none" => Some(OutputScale::None),
            "interval" => Some(OutputScale::Interval),
            _ => None,
        })?;
        let convolution = entries.one_of("convolution", |name| match name {
            "winograd" => Some(ConvolutionAlgorithm::Winograd),
            "direct" => Some(ConvolutionAlgorithm::Direct),
            _ => None,
        })?;
        let mean = entries.numbers("normalization_mean")?;
        let deviation = entries.numbers("normalization_deviation")?;
        let channels = model.in_channels as usize;
        let normalization = match mean.zip(deviation) {
            None => None,
            Some((mean, deviation)) if [mean.len(), deviation.len()] == [channels; 2] => {
                Some(Normalization { mean, deviation })
            }
            Some(_) => {
                return Err(format!(
                    "normalization is not a number for each of {channels} channels"
                ));
            }
        };
        Ok(Some(Self {
            model,
            bits,
            output_scale,
            convolution,
            resolution: entries.optional("resolution")?,
            resize: entries.optional("resize")?,
            normalization,
            data: metadata.get(&key("data")).cloned(),
            validation_images: entries.optional("validation_images")?,
        }))
    }
}

struct Entries<'a>(&'a BTreeMap<String, String>);

impl Entries<'_> {
    fn text(&self, name: &str) -> Result<&str, String> {
        let text = self.0.get(&key(name));
        text.map(String::as_str).ok_or_else(|| format!("metadata entry {} is missing", key(name)))
    }

    fn one_of<T>(&self, name: &str, known: impl Fn(&str) -> Option<T>) -> Result<T, String> {
        let text = self.text(name)?;
        known(text).ok_or_else(|| not_understood(name, text, "a name that this program knows"))
    }

    fn number<T: FromStr<Err: Display>>(&self, name: &str) -> Result<T, String> {
        let text = self.text(name)?;
        text.parse().map_err(|error| not_understood(name, text, error))
    }

    fn optional<T: FromStr<Err: Display>>(&self, name: &str) -> Result<Option<T>, String> {
        if self.0.contains_key(&key(name)) { self.number(name).map(Some) } else { Ok(None) }
    }

    fn numbers(&self, name: &str) -> Result<Option<Vec<f32>>, String> {
        let Some(text) = self.0.get(&key(name)) else { return Ok(None) };
        let numbers: Result<Vec<f32>, _> = text.split(' ').map(str::parse).collect();
        numbers.map(Some).map_err(|error| not_understood(name, text, error))
    }
}

fn not_understood(name: &str, text: &str, why: impl Display) -> String {
    let shown: String = text.chars().take(40).collect();
    format!("metadata entry {} = \"{shown}\" is not understood: {why}", key(name))
}

/// The normalization that a checkpoint's images had.
pub(super) fn normalization(checkpoint: &Checkpoint) -> Option<Normalization> {
    let values = |name: &str| Some(checkpoint.tensors.get(name)?.values.clone());
    Some(Normalization { mean: values("images.mean")?, deviation: values("images.deviation")? })
}
