//! Which network a weights file is for, and how its images are prepared.

use bitsweep_data::Normalization;
use bitsweep_models::State;
use bitsweep_models::import::Weights;
use bitsweep_sweep::{Bits, ConvolutionAlgorithm, ModelSpec, Network, OutputScale, Stem};

use super::EvalRequest;
use crate::error::TrainError;
use crate::export::Description;

/// Side of ImageNet's images.
const RESOLUTION: u32 = 224;

/// Channels of every network's first layer at width 1.
const FIRST_CHANNELS: f64 = 64.0;

/// What the file says of itself, otherwise what its shapes say; then what the request wants otherwise.
pub(super) fn describe(
    request: &EvalRequest,
    weights: &Weights,
) -> Result<Description, TrainError> {
    let file = request.weights.display();
    let refuse = |problem: String| Err(TrainError::Data(format!("weights {file}: {problem}")));
    let own = Description::from_metadata(&weights.metadata);
    let mut description = match own {
        Err(problem) => return refuse(problem),
        Ok(Some(own)) => {
            let network = own.model.network;
            if let Some(other) = request.network.filter(|wanted| *wanted != network) {
                return refuse(format!("exported from {network}, not from {other}"));
            }
            own
        }
        Ok(None) => {
            let Some(network) = request.network else {
                return refuse("not exported by bitsweep: say which network it is".to_owned());
            };
            from_shapes(network, &weights.state).or_else(refuse)?
        }
    };
    let exported = description.resolution.is_some();
    let resolution = request.resolution.or(description.resolution).unwrap_or(RESOLUTION);
    description.resolution = Some(resolution);
    if !exported {
        // ImageNet's usual evaluation: 256 for 224.
        description.resize = Some((f64::from(resolution) * 8.0 / 7.0).round() as u32);
    }
    description.resize = request.resize.or(description.resize);
    if let Some(resize) = description.resize.filter(|resize| *resize < resolution) {
        return Err(TrainError::Data(format!(
            "images resized to {resize} pixels have no middle of {resolution}: resize must not be below \
             the resolution"
        )));
    }
    if let Some((mean, deviation)) = request.normalization.clone() {
        description.normalization = Some(Normalization { mean, deviation });
    }
    if description.normalization.is_none() {
        let channels = description.model.in_channels;
        if channels != 3 {
            return refuse(format!(
                "it does not say how its images of {channels} channels are normalized: give mean and deviation"
            ));
        }
        description.normalization = Some(Normalization::imagenet());
    }
    Ok(description)
}

/// A full-precision network of the file's sizes.
fn from_shapes(network: Network, state: &State) -> Result<Description, String> {
    let (first, head) = match network {
        Network::ResNet18 | Network::ResNet34 => ("conv1.weight", "fc.weight"),
        Network::AlexNet => ("features.0.weight", "classifier.6.weight"),
    };
    let shape = |name: &str| state.get(name).map(|tensor| tensor.shape.as_slice());
    // What is missing is told with everything else that is, by comparison with a network of usual sizes.
    let (channels, in_channels, kernel) = match shape(first) {
        Some(&[channels, inputs, kernel, _]) => (channels as f64, inputs, kernel),
        _ => (FIRST_CHANNELS, 3, 7),
    };
    let classes = match shape(head) {
        Some(&[classes, _]) => classes,
        _ => 1000,
    };
    let number = |what: &str, value: usize| {
        u32::try_from(value).map_err(|_| format!("{value} {what} are too many"))
    };
    let model = ModelSpec {
        network,
        width: channels / FIRST_CHANNELS,
        stem: if kernel == 3 { Stem::Small } else { Stem::ImageNet },
        in_channels: number("channels", in_channels)?,
        classes: number("classes", classes)?,
    };
    Ok(Description {
        model,
        bits: Bits::FULL,
        output_scale: OutputScale::None,
        convolution: ConvolutionAlgorithm::default(),
        resolution: None,
        resize: None,
        normalization: None,
        data: None,
        validation_images: None,
    })
}
