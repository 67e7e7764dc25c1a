//! The intervals of a network's layers, and what they do to its weights.

use bitsweep_qil::{Interval, WeightStatistics, weight_statistics};

use crate::model::Model;
use crate::quantizers::WeightQuantizer;

/// One quantized layer's intervals; `None` where the width is 32.
#[derive(Clone, Debug, PartialEq)]
pub struct LayerQuantizers {
    /// torchvision's name of the layer.
    pub layer: String,
    /// Of its weights.
    pub weights: Option<WeightQuantizer>,
    /// Of its input.
    pub activations: Option<Interval>,
}

impl Model {
    /// Intervals of every quantized layer, in network order.
    pub fn quantizers(&mut self) -> Vec<LayerQuantizers> {
        self.network
            .quantized()
            .into_iter()
            .map(|layer| {
                let (weights, activations) = layer.quantizers.read();
                LayerQuantizers { layer: layer.name.to_owned(), weights, activations }
            })
            .collect()
    }

    /// Sets the intervals of every quantized layer, in the order of [`quantizers`](Self::quantizers);
    /// `None` leaves one as it is.
    ///
    /// # Panics
    /// If these are not this network's layers.
    pub fn set_quantizers(&mut self, all: &[LayerQuantizers]) {
        let device = self.device.clone();
        let layers = self.network.quantized();
        assert_eq!(layers.len(), all.len(), "intervals of another network");
        for (layer, new) in layers.into_iter().zip(all) {
            assert_eq!(layer.name, new.layer, "intervals of another network");
            let weights = new.weights.map(|w| (w.interval, w.gamma));
            layer.quantizers.write(weights, new.activations, &device);
        }
    }

    /// Tells the weights of every quantized layer, in network order.
    pub fn quantized_weights(&mut self, mut tell: impl FnMut(&str, &[f32])) {
        for layer in self.network.quantized() {
            layer.weights.read(|weights| tell(layer.name, weights));
        }
    }

    /// Every quantized layer's intervals with its weights' statistics; `None` where weights have 32 bits.
    pub fn layer_statistics(&mut self) -> Vec<(LayerQuantizers, Option<WeightStatistics>)> {
        let quantizers = self.quantizers();
        let layers = quantizers.into_iter().zip(self.network.quantized());
        layers
            .map(|(quantizers, layer)| {
                let of = |w: WeightQuantizer| {
                    let statistics =
                        |values: &[f32]| weight_statistics(values, w.interval, w.gamma, w.levels);
                    layer.weights.read(statistics)
                };
                let statistics = quantizers.weights.map(of);
                (quantizers, statistics)
            })
            .collect()
    }
}
