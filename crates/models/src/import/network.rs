//! Which network a file's names belong to.

use std::collections::BTreeSet;
use std::fmt;

use crate::config::{Architecture, ModelConfig};
use crate::state::State;

/// A network known by its names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Recognized {
    /// Residual blocks a stage.
    ResNet { blocks: Vec<usize>, bottleneck: bool },
    /// Five convolutions and three linear layers.
    AlexNet,
    /// Convolutions and linear layers, but not AlexNet's.
    OtherFeatures,
}

/// Looks at names alone; `None`: nothing known.
pub(super) fn recognize(state: &State) -> Option<Recognized> {
    let blocks = blocks(state);
    if !blocks.is_empty() {
        let bottleneck = state.keys().any(|name| name.ends_with(".conv3.weight"));
        return Some(Recognized::ResNet { blocks, bottleneck });
    }
    let weights: BTreeSet<&str> = state
        .iter()
        .filter(|(_, tensor)| tensor.shape.len() > 1)
        .filter_map(|(name, _)| name.strip_suffix(".weight"))
        .filter(|name| name.starts_with("features.") || name.starts_with("classifier."))
        .collect();
    let alexnet = [
        "features.0",
        "features.3",
        "features.6",
        "features.8",
        "features.10",
        "classifier.1",
        "classifier.4",
        "classifier.6",
    ];
    if weights == BTreeSet::from(alexnet) {
        Some(Recognized::AlexNet)
    } else {
        (!weights.is_empty()).then_some(Recognized::OtherFeatures)
    }
}

/// Blocks of `layer1`, `layer2`, ...
fn blocks(state: &State) -> Vec<usize> {
    let mut stages: Vec<usize> = Vec::new();
    for name in state.keys() {
        let mut parts = name.split('.');
        let stage = parts.next().and_then(|part| part.strip_prefix("layer")?.parse().ok());
        let block = parts.next().and_then(|part| part.parse::<usize>().ok());
        if let (Some(stage @ 1..=8), Some(block @ 0..=999)) = (stage, block) {
            stages.resize(stages.len().max(stage), 0);
            stages[stage - 1] = stages[stage - 1].max(block + 1);
        }
    }
    stages
}

impl Recognized {
    /// What is recognized in every file of this network.
    pub(super) fn of(config: &ModelConfig) -> Self {
        let resnet = |blocks: [usize; 4]| Self::ResNet { blocks: blocks.into(), bottleneck: false };
        match config.architecture {
            Architecture::ResNet18 => resnet([2, 2, 2, 2]),
            Architecture::ResNet34 => resnet([3, 4, 6, 3]),
            Architecture::AlexNet => Self::AlexNet,
        }
    }
}

impl fmt::Display for Recognized {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::ResNet { blocks, bottleneck } = self else {
            return f.write_str(match self {
                Self::AlexNet => "AlexNet",
                _ => "a network of features and classifier that is not AlexNet",
            });
        };
        let depth = match (blocks.as_slice(), bottleneck) {
            ([2, 2, 2, 2], false) => Some(18),
            ([3, 4, 6, 3], false) => Some(34),
            ([3, 4, 6, 3], true) => Some(50),
            ([3, 4, 23, 3], true) => Some(101),
            ([3, 8, 36, 3], true) => Some(152),
            // He et al. 2016, section 4.2: three stages for CIFAR.
            (&[first, second, third], false) if first == second && second == third => {
                Some(6 * first + 2)
            }
            _ => None,
        };
        match depth {
            Some(depth) => write!(f, "ResNet-{depth}")?,
            None => f.write_str("a ResNet")?,
        }
        let counts: Vec<String> = blocks.iter().map(ToString::to_string).collect();
        write!(f, " (blocks {})", counts.join(", "))
    }
}
