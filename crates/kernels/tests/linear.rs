//! Fully connected layers against a naive `f64` reference.
#![allow(missing_docs)]

use bitsweep_kernels::linear::{LinearShape, backward_input, backward_weight, forward};
use proptest::prelude::*;

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

fn near(what: &str, shape: &LinearShape, got: &[f32], want: &[f64], terms: usize) {
    let tolerance = 1e-6 * (terms as f64).sqrt().max(1.0);
    for (index, (&got, &want)) in got.iter().zip(want).enumerate() {
        let error = (f64::from(got) - want).abs();
        assert!(error <= tolerance, "{what} {index} of {shape:?}: got {got}, want {want}");
    }
}

fn check(batch: usize, inputs: usize, outputs: usize) {
    let shape = LinearShape { batch, inputs, outputs };
    let x = numbers(batch * inputs, 1);
    let w = numbers(inputs * outputs, 2);
    let g = numbers(batch * outputs, 3);
    let (mut y, mut dx, mut dw) =
        (vec![0.0f64; g.len()], vec![0.0f64; x.len()], vec![0.0f64; w.len()]);
    for b in 0..batch {
        for i in 0..inputs {
            for o in 0..outputs {
                let (xi, wk, go) = (x[b * inputs + i], w[i * outputs + o], g[b * outputs + o]);
                y[b * outputs + o] += f64::from(xi) * f64::from(wk);
                dx[b * inputs + i] += f64::from(go) * f64::from(wk);
                dw[i * outputs + o] += f64::from(xi) * f64::from(go);
            }
        }
    }
    let mut got = vec![f32::NAN; y.len()];
    forward(&shape, &x, &w, &mut got);
    near("output", &shape, &got, &y, inputs);
    let mut got = vec![f32::NAN; dx.len()];
    backward_input(&shape, &g, &w, &mut got);
    near("input gradient", &shape, &got, &dx, outputs);
    let mut got = vec![f32::NAN; dw.len()];
    backward_weight(&shape, &x, &g, &mut got);
    near("weight gradient", &shape, &got, &dw, batch);
}

#[test]
fn whole_tiles_and_several_blocks_of_weights() {
    check(16, 512, 64);
    check(64, 300, 1000);
    check(3, 600, 10);
}

#[test]
fn nothing_in_nothing_out() {
    check(0, 5, 7);
    let shape = LinearShape { batch: 2, inputs: 0, outputs: 3 };
    let mut y = [f32::NAN; 6];
    forward(&shape, &[], &[], &mut y);
    assert_eq!(y, [0.0; 6]);
}

#[test]
fn nan_reaches_its_row_and_no_other() {
    let shape = LinearShape { batch: 3, inputs: 20, outputs: 40 };
    let mut x = numbers(60, 1);
    x[25] = f32::NAN;
    let mut y = vec![0.0; 120];
    forward(&shape, &x, &numbers(800, 2), &mut y);
    assert!(y[40..80].iter().all(|v| v.is_nan()));
    assert!(y[..40].iter().chain(&y[80..]).all(|v| v.is_finite()));
}

#[test]
fn the_number_of_threads_does_not_change_a_bit() {
    let shape = LinearShape { batch: 21, inputs: 333, outputs: 111 };
    let (x, w, g) = (numbers(21 * 333, 1), numbers(333 * 111, 2), numbers(21 * 111, 3));
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        pool.expect("a small pool can be built").install(|| {
            let (mut y, mut dx, mut dw) = (g.clone(), x.clone(), w.clone());
            forward(&shape, &x, &w, &mut y);
            backward_input(&shape, &g, &w, &mut dx);
            backward_weight(&shape, &x, &g, &mut dw);
            (y, dx, dw)
        })
    };
    let one = run(1);
    assert!(run(2) == one && run(5) == one);
}

#[test]
#[should_panic(expected = "the weights' side has 1 elements, but the shape asks for 6")]
fn a_wrong_length_panics_with_both_lengths() {
    let shape = LinearShape { batch: 1, inputs: 2, outputs: 3 };
    forward(&shape, &[0.0; 2], &[0.0], &mut [0.0; 3]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn small_random_sizes(batch in 1usize..20, inputs in 1usize..70, outputs in 1usize..70) {
        check(batch, inputs, outputs);
    }
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
