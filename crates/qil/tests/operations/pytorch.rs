//! Quantizers against PyTorch in double precision, on values that `scripts/pytorch/make_fixtures.py`
//! chose: worked and random ones, interval ends, ties, and magnitudes at the limits of `f32`.

use std::collections::BTreeSet;

use bitsweep_qil::{quantize_activations, quantize_weights};
use burn::tensor::Tensor;
use safetensors::{Dtype, SafeTensors};

use crate::tensors::{gradient, gradients, leaf, values};

/// Two units in the last place of 1: levels divided by q, or multiplied by 1/q.
const OUTPUT: f64 = 1.2e-7;

/// Of the largest gradient: t and t^γ take a handful of roundings of 6e-8, and where an interval is
/// narrow (c = 25 d) its ends are known to 25 of those. PyTorch's own f32 stays within 2e-7.
const INPUT: f64 = 2e-6;

/// Of the magnitudes that a sum for c, d or γ adds up: summing in f64 adds nothing to its terms' errors.
const SUMS: f64 = 2e-6;

struct Fixture<'a> {
    tensors: SafeTensors<'a>,
    case: &'a str,
}

impl Fixture<'_> {
    fn floats(&self, name: &str) -> Vec<f32> {
        let tensor = self.tensors.tensor(&format!("{}/{name}", self.case)).unwrap();
        assert_eq!(tensor.dtype(), Dtype::F32, "{name}");
        tensor.data().as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()
    }

    fn expected(&self, name: &str) -> Vec<f64> {
        let tensor = self.tensors.tensor(&format!("{}/f64.{name}", self.case)).unwrap();
        assert_eq!(tensor.dtype(), Dtype::F64, "{name}");
        tensor.data().as_chunks().0.iter().map(|bytes| f64::from_le_bytes(*bytes)).collect()
    }

    fn levels(&self) -> u32 {
        let tensor = self.tensors.tensor(&format!("{}/levels", self.case)).unwrap();
        u32::try_from(i64::from_le_bytes(tensor.data().try_into().unwrap())).unwrap()
    }

    #[track_caller]
    fn assert_close(&self, name: &str, found: &[f32], tolerance: f64) {
        let expected = self.expected(name);
        assert_eq!(found.len(), expected.len(), "{}: {name}", self.case);
        for (i, (&found, expected)) in found.iter().zip(expected).enumerate() {
            let error = (f64::from(found) - expected).abs();
            let what = format!("{}: {name}[{i}]", self.case);
            assert!(error <= tolerance, "{what}: {found} where {expected} is expected");
        }
    }
}

/// Runs `compare` on every case of a kind of quantizer.
fn each(kind: &str, compare: fn(&Fixture<'_>)) {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/quantizers.safetensors");
    let bytes = std::fs::read(path).unwrap();
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let names = tensors.names();
    let cases = names.iter().filter(|name| name.starts_with(kind));
    let cases: BTreeSet<&str> = cases.map(|name| name.rsplit_once('/').unwrap().0).collect();
    assert!(cases.len() > 5, "cases of {kind}: {}", cases.len());
    for case in cases {
        compare(&Fixture { tensors: SafeTensors::deserialize(&bytes).unwrap(), case });
    }
}

fn magnitude(values: &[f64]) -> f64 {
    values.iter().map(|v| v.abs()).sum()
}

fn largest(values: &[f64]) -> f64 {
    values.iter().fold(0.0, |largest, v| v.abs().max(largest))
}

fn compare_weights(fixture: &Fixture<'_>) {
    let (w, g) = (fixture.floats("input"), fixture.floats("upstream"));
    let [center, half_width, gamma] = fixture.floats("interval").try_into().unwrap();
    let w: Tensor<1> = leaf(&w, [w.len()]);
    let scalars = [center, half_width, gamma].map(|value| leaf(&[value], [1]));
    let [c, d, exponent] = scalars.clone();
    let output = quantize_weights(w.clone(), c, d, exponent, fixture.levels());
    fixture.assert_close("output", &values(&output), OUTPUT);

    let found = gradients(&output, &g);
    let dw = fixture.expected("gradient.input");
    fixture.assert_close("gradient.input", &gradient(&w, &found), INPUT * largest(&dw));
    // |dL/dc| and |dL/dd| add up at most |dL/dw|, |dL/dγ| at most |g| / (e γ).
    let bound = f64::from(gamma).recip() * g.iter().map(|g| f64::from(g.abs())).sum::<f64>();
    let bounds = [magnitude(&dw), magnitude(&dw), bound];
    for ((name, scalar), bound) in
        ["center", "half_width", "gamma"].iter().zip(&scalars).zip(bounds)
    {
        let name = format!("gradient.{name}");
        fixture.assert_close(&name, &gradient(scalar, &found), SUMS * bound);
    }
}

fn compare_activations(fixture: &Fixture<'_>) {
    let (x, g) = (fixture.floats("input"), fixture.floats("upstream"));
    let [center, half_width, _] = fixture.floats("interval").try_into().unwrap();
    let x: Tensor<1> = leaf(&x, [x.len()]);
    let scalars = [center, half_width].map(|value| leaf(&[value], [1]));
    let [c, d] = scalars.clone();
    let output = quantize_activations(x.clone(), c, d, fixture.levels());
    fixture.assert_close("output", &values(&output), OUTPUT);

    let found = gradients(&output, &g);
    let dx = fixture.expected("gradient.input");
    fixture.assert_close("gradient.input", &gradient(&x, &found), INPUT * largest(&dx));
    for (name, scalar) in ["center", "half_width"].iter().zip(&scalars) {
        let name = format!("gradient.{name}");
        fixture.assert_close(&name, &gradient(scalar, &found), SUMS * magnitude(&dx));
    }
}

every_path!(weights_are_quantized_as_by_pytorch);
fn weights_are_quantized_as_by_pytorch() {
    each("weights/", compare_weights);
}

every_path!(activations_are_quantized_as_by_pytorch);
fn activations_are_quantized_as_by_pytorch() {
    each("activations/", compare_activations);
}
