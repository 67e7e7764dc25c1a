//! Convolution against a naive `f64` reference.
#![allow(missing_docs)]

use bitsweep_kernels::convolution::{
    Algorithm, ConvolutionShape, Pass, backward_input, backward_input_with, backward_weight,
    backward_weight_with, forward, forward_with,
};
use proptest::prelude::*;

/// Visits every product of a convolution: indices of input, weight and output element.
fn products(shape: &ConvolutionShape, mut visit: impl FnMut(usize, usize, usize)) {
    let [oh, ow] = shape.output_size();
    let (ci, co) = (shape.in_channels, shape.out_channels);
    for n in 0..shape.batch {
        for (oy, ox) in (0..oh).flat_map(|oy| (0..ow).map(move |ox| (oy, ox))) {
            for (ky, kx) in
                (0..shape.kernel[0]).flat_map(|y| (0..shape.kernel[1]).map(move |x| (y, x)))
            {
                let iy = (oy * shape.stride + ky).wrapping_sub(shape.padding);
                let ix = (ox * shape.stride + kx).wrapping_sub(shape.padding);
                if iy >= shape.height || ix >= shape.width {
                    continue;
                }
                for i in 0..ci {
                    for o in 0..co {
                        let input = ((n * shape.height + iy) * shape.width + ix) * ci + i;
                        let weight = ((ky * shape.kernel[1] + kx) * ci + i) * co + o;
                        visit(input, weight, ((n * oh + oy) * ow + ox) * co + o);
                    }
                }
            }
        }
    }
}

/// Numbers between -1 and 1 without a pattern that hides a wrong index.
fn numbers(length: usize, seed: u64) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    (0..length)
        .map(|_| {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0
        })
        .collect()
}

/// Compares with a reference and the sum of magnitudes behind every element.
fn compare(what: &str, shape: &ConvolutionShape, got: &[f32], want: &[f64], scale: &[f64]) {
    compare_within(2e-6, what, shape, got, want, scale);
}

fn compare_within(
    tolerance: f64,
    what: &str,
    shape: &ConvolutionShape,
    got: &[f32],
    want: &[f64],
    scale: &[f64],
) {
    for (index, ((&got, &want), &scale)) in got.iter().zip(want).zip(scale).enumerate() {
        let error = (f64::from(got) - want).abs();
        assert!(
            error <= tolerance * scale + 1e-12,
            "{what} {index} of {shape:?}: got {got}, want {want}"
        );
    }
}

fn check(shape: ConvolutionShape) {
    let x = numbers(shape.input_length(), 1);
    let w = numbers(shape.weight_length(), 2);
    let g = numbers(shape.output_length(), 3);
    let zeros = |n: usize| (vec![0.0f64; n], vec![0.0f64; n]);
    let (mut y, mut y_scale) = zeros(g.len());
    let (mut dx, mut dx_scale) = zeros(x.len());
    let (mut dw, mut dw_scale) = zeros(w.len());
    products(&shape, |i, k, o| {
        let (xi, wk, go) = (f64::from(x[i]), f64::from(w[k]), f64::from(g[o]));
        for (sum, scale, product) in [
            (&mut y[o], &mut y_scale[o], xi * wk),
            (&mut dx[i], &mut dx_scale[i], go * wk),
            (&mut dw[k], &mut dw_scale[k], xi * go),
        ] {
            *sum += product;
            *scale += product.abs();
        }
    });
    let mut got = vec![f32::NAN; y.len()];
    forward(&shape, &x, &w, &mut got);
    compare("output", &shape, &got, &y, &y_scale);
    let mut got = vec![f32::NAN; dx.len()];
    backward_input(&shape, &g, &w, &mut got);
    compare("input gradient", &shape, &got, &dx, &dx_scale);
    // Winograd spreads the error of a tile over all its pixels, so padding has no small scale.
    let largest = |scale: &[f64]| vec![scale.iter().fold(0.0, |a: f64, &b| a.max(b)); scale.len()];
    let mut got = vec![f32::NAN; y.len()];
    forward_with(Algorithm::Winograd, &shape, &x, &w, &mut got);
    compare_within(1e-5, "Winograd output", &shape, &got, &y, &largest(&y_scale));
    let mut got = vec![f32::NAN; dx.len()];
    backward_input_with(Algorithm::Winograd, &shape, &g, &w, &mut got);
    compare_within(1e-5, "Winograd input gradient", &shape, &got, &dx, &largest(&dx_scale));
    let mut got = vec![f32::NAN; dw.len()];
    backward_weight(&shape, &x, &g, &mut got);
    compare("weight gradient", &shape, &got, &dw, &dw_scale);
    let mut got = vec![f32::NAN; dw.len()];
    backward_weight_with(Algorithm::Winograd, &shape, &x, &g, &mut got);
    compare_within(1e-5, "Winograd weight gradient", &shape, &got, &dw, &largest(&dw_scale));
}

fn square(
    batch: usize,
    size: usize,
    [in_channels, out_channels]: [usize; 2],
    kernel: usize,
    stride: usize,
    padding: usize,
) -> ConvolutionShape {
    ConvolutionShape {
        batch,
        height: size,
        width: size,
        in_channels,
        out_channels,
        kernel: [kernel; 2],
        stride,
        padding,
    }
}

/// Runs `body` in pools of one, two and five threads.
fn in_pools(body: impl Fn() + Sync) {
    for threads in [1, 2, 5] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        pool.expect("a small pool can be built").install(&body);
    }
}

#[test]
fn three_by_three_layers_of_a_residual_network() {
    in_pools(|| {
        for (size, channels) in [(14, 16), (7, 32), (4, 64), (2, 128), (1, 32)] {
            check(square(3, size, [channels; 2], 3, 1, 1));
        }
        for (size, channels) in [(14, 16), (7, 32), (4, 48), (5, 8)] {
            check(square(3, size, [channels, 2 * channels], 3, 2, 1));
        }
    });
}

#[test]
fn winograd_covers_every_padding_and_partial_tiles() {
    in_pools(|| {
        for (size, padding) in
            [(3, 0), (4, 0), (6, 0), (9, 0), (1, 1), (5, 1), (8, 1), (1, 2), (3, 2), (7, 2)]
        {
            check(square(3, size, [20, 37], 3, 1, padding));
        }
    });
}

#[test]
fn one_by_one_layers() {
    in_pools(|| {
        check(square(3, 6, [16, 32], 1, 1, 0));
        check(square(3, 6, [16, 32], 1, 2, 0));
        check(square(3, 7, [32, 64], 1, 2, 0));
        check(square(5, 1, [40, 10], 1, 1, 0));
        check(square(2, 4, [5, 3], 1, 2, 1));
    });
}

#[test]
fn first_layers_with_few_input_channels_and_large_kernels() {
    in_pools(|| {
        check(square(2, 9, [1, 16], 3, 1, 1));
        check(square(2, 9, [3, 16], 3, 1, 1));
        check(square(2, 15, [3, 16], 7, 2, 3));
        check(square(2, 23, [3, 24], 11, 4, 2));
        check(square(2, 8, [8, 20], 5, 1, 2));
        check(square(2, 7, [2, 33], 5, 2, 2));
    });
}

#[test]
fn channel_counts_that_fill_no_vector() {
    in_pools(|| {
        for channels in [[8, 8], [10, 10], [17, 31], [24, 40], [33, 9], [1, 1], [4, 7], [50, 66]] {
            check(square(2, 5, channels, 3, 1, 1));
        }
    });
}

#[test]
fn batches_that_fill_no_tile() {
    for batch in [1, 2, 5, 11, 12, 13, 25, 65] {
        check(square(batch, 2, [8, 16], 3, 1, 1));
        check(square(batch, 3, [16, 40], 3, 2, 1));
    }
}

#[test]
fn many_weights_and_many_threads() {
    in_pools(|| check(square(2, 3, [170, 180], 3, 1, 1)));
}

#[test]
fn oblong_images_and_kernels() {
    in_pools(|| {
        check(ConvolutionShape {
            batch: 2,
            height: 5,
            width: 11,
            in_channels: 6,
            out_channels: 18,
            kernel: [1, 5],
            stride: 2,
            padding: 2,
        });
    });
}

#[test]
fn the_same_threads_give_the_same_bits() {
    let shape = square(13, 14, [16, 32], 3, 1, 1);
    let x = numbers(shape.input_length(), 1);
    let w = numbers(shape.weight_length(), 2);
    let g = numbers(shape.output_length(), 3);
    for threads in [1, 2, 3] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        let pool = pool.expect("a small pool can be built");
        let run = || {
            let mut results = [vec![0.0; g.len()], vec![0.0; x.len()], vec![0.0; w.len()]];
            let [y, dx, dw] = &mut results;
            forward(&shape, &x, &w, y);
            backward_input(&shape, &g, &w, dx);
            backward_weight(&shape, &x, &g, dw);
            results
        };
        let first = pool.install(run);
        for _ in 0..5 {
            assert!(pool.install(run) == first, "{threads} threads");
        }
    }
}

#[test]
fn nan_stays_within_reach_of_the_kernel() {
    let shape = square(1, 6, [4, 4], 3, 1, 1);
    let mut x = vec![1.0; shape.input_length()];
    x[0] = f32::NAN;
    let mut y = vec![0.0; shape.output_length()];
    forward(&shape, &x, &vec![1.0; shape.weight_length()], &mut y);
    assert_eq!(y.iter().filter(|v| v.is_nan()).count(), 4 * 4);
}

#[test]
fn an_empty_batch_gives_zero_weight_gradients() {
    let shape = square(0, 6, [4, 4], 3, 1, 1);
    forward(&shape, &[], &vec![1.0; shape.weight_length()], &mut []);
    let mut dw = vec![f32::NAN; shape.weight_length()];
    backward_weight(&shape, &[], &[], &mut dw);
    assert!(dw.iter().all(|&v| v == 0.0));
}

#[test]
#[should_panic(expected = "the weights has 1 elements, but the shape asks for 144")]
fn a_wrong_length_panics_with_both_lengths() {
    let shape = square(1, 6, [4, 4], 3, 1, 1);
    let mut y = vec![0.0; shape.output_length()];
    forward(&shape, &vec![0.0; shape.input_length()], &[0.0], &mut y);
}

#[test]
#[should_panic(expected = "a kernel of 7 does not fit into a padded height of 6")]
fn a_kernel_larger_than_the_image_panics() {
    square(1, 4, [4, 4], 7, 1, 1).output_size();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn small_random_shapes(
        batch in 1usize..15,
        height in 1usize..9,
        width in 1usize..9,
        in_channels in 1usize..20,
        out_channels in 1usize..40,
        kernel in prop::array::uniform2(1usize..6),
        stride in 1usize..4,
        padding in 0usize..4,
    ) {
        prop_assume!(kernel[0] <= height + 2 * padding && kernel[1] <= width + 2 * padding);
        check(ConvolutionShape {
            batch, height, width, in_channels, out_channels, kernel, stride, padding,
        });
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn shapes_that_winograd_computes(
        batch in 1usize..9,
        height in 1usize..15,
        width in 1usize..15,
        in_channels in 1usize..40,
        out_channels in 1usize..40,
        five in any::<bool>(),
        padding in 0usize..5,
    ) {
        let kernel = if five { 5 } else { 3 };
        prop_assume!(padding < kernel);
        prop_assume!(kernel <= height + 2 * padding && kernel <= width + 2 * padding);
        check(ConvolutionShape {
            batch, height, width, in_channels, out_channels,
            kernel: [kernel; 2], stride: 1, padding,
        });
    }
}

#[test]
fn the_number_of_threads_does_not_change_a_bit() {
    for shape in [
        square(13, 14, [16, 32], 3, 1, 1),
        square(13, 7, [32, 48], 3, 2, 1),
        square(9, 4, [170, 180], 3, 1, 1),
        square(9, 17, [3, 24], 7, 2, 3),
        square(9, 6, [24, 40], 1, 2, 0),
        square(9, 6, [24, 40], 5, 1, 2),
    ] {
        let x = numbers(shape.input_length(), 1);
        let w = numbers(shape.weight_length(), 2);
        let g = numbers(shape.output_length(), 3);
        for algorithm in [Algorithm::Direct, Algorithm::Winograd] {
            let run = |threads: usize| {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
                pool.expect("a small pool can be built").install(|| {
                    let mut results = [g.clone(), x.clone(), w.clone()];
                    let [y, dx, dw] = &mut results;
                    forward_with(algorithm, &shape, &x, &w, y);
                    backward_input_with(algorithm, &shape, &g, &w, dx);
                    backward_weight_with(algorithm, &shape, &x, &g, dw);
                    results
                })
            };
            let one = run(1);
            assert!(run(2) == one && run(7) == one, "{algorithm:?} {shape:?}");
        }
    }
}

#[test]
fn nan_reaches_every_gradient_by_either_algorithm() {
    let shape = square(2, 9, [16, 32], 3, 1, 1);
    let mut x = numbers(shape.input_length(), 1);
    let (w, g) = (numbers(shape.weight_length(), 2), numbers(shape.output_length(), 3));
    x[16 * 40 + 5] = f32::NAN;
    for algorithm in [Algorithm::Direct, Algorithm::Winograd] {
        let (mut y, mut dw) = (vec![0.0; g.len()], vec![0.0; w.len()]);
        forward_with(algorithm, &shape, &x, &w, &mut y);
        backward_weight_with(algorithm, &shape, &x, &g, &mut dw);
        assert!(y.iter().any(|v| v.is_nan()), "{algorithm:?}");
        let of_channel = |row: usize| dw[(row * 16 + 5) * 32..][..32].iter().all(|v| v.is_nan());
        assert!((0..9).all(of_channel), "{algorithm:?}");
        assert!(y[g.len() / 2..].iter().all(|v| v.is_finite()), "{algorithm:?}: the other image");
    }
}

#[test]
fn the_choice_of_algorithm_follows_the_shape() {
    let fastest = |shape: ConvolutionShape, pass| shape.fastest(pass);
    let full = square(64, 16, [64, 64], 3, 1, 1);
    for pass in [Pass::Forward, Pass::InputGradient, Pass::WeightGradient] {
        assert_eq!(fastest(full, pass), Algorithm::Winograd);
        assert_eq!(fastest(square(64, 27, [64, 192], 5, 1, 2), pass), Algorithm::Winograd);
        assert_eq!(fastest(square(64, 16, [64, 64], 3, 2, 1), pass), Algorithm::Direct);
        assert_eq!(fastest(square(64, 2, [512, 512], 3, 1, 1), pass), Algorithm::Direct);
        assert_eq!(fastest(square(64, 16, [64, 64], 1, 1, 0), pass), Algorithm::Direct);
    }
    let few = square(64, 28, [8, 8], 3, 1, 1);
    assert_eq!(fastest(few, Pass::Forward), Algorithm::Direct);
    assert!(full.winograd_pays());
}

/// Runs the tests of this file again in processes with lesser instruction sets.
#[test]
fn lesser_instruction_sets_agree_with_the_reference() {
    use bitsweep_kernels::{INSTRUCTIONS_VARIABLE, Instructions, instructions};
    if std::env::var_os(INSTRUCTIONS_VARIABLE).is_some() {
        return;
    }
    let program = std::env::current_exe().expect("a test knows its own program");
    for (name, set) in [("scalar", Instructions::Scalar), ("vector", Instructions::Vector)] {
        if set >= instructions() {
            continue;
        }
        let run = std::process::Command::new(&program)
            .env(INSTRUCTIONS_VARIABLE, name)
            .output()
            .expect("the test program starts again");
        assert!(run.status.success(), "{name}: {}", String::from_utf8_lossy(&run.stdout));
    }
}
