//! Where the time of one training step goes, if it went into kernels alone.
//!
//! `cargo bench -p bitsweep-kernels --bench network [CASE] [direct]`; `RAYON_NUM_THREADS` sets the
//! threads. Cases: `resnet18-64`, `resnet18-224`, `alexnet`, `quickstart`; all of them if none is
//! named. `direct` forbids Winograd. Products with padding count as work, although they are skipped.
#![allow(clippy::print_stdout, missing_docs)]

mod calls;
mod networks;

use calls::{Call, Timing};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with('-')).collect();
    let direct = arguments.iter().any(|argument| argument == "direct");
    let wanted = arguments.iter().find(|argument| *argument != "direct");
    for (name, calls) in networks::all() {
        if wanted.is_none_or(|wanted| wanted == name) {
            report(name, calls, direct);
        }
    }
}

/// Times every distinct call once and prints it with the share of all its repetitions.
fn report(name: &str, calls: Vec<Call>, direct: bool) {
    let mut distinct: Vec<(Call, usize)> = Vec::new();
    for call in calls {
        match distinct.iter_mut().find(|(known, _)| *known == call) {
            Some((_, count)) => *count += 1,
            None => distinct.push((call, 1)),
        }
    }
    let mut rows: Vec<(String, usize, Timing)> = Vec::new();
    for (call, count) in distinct {
        for timing in call.time(direct) {
            rows.push((call.name(), count, timing));
        }
    }
    let total: f64 = rows.iter().map(|(_, count, timing)| *count as f64 * timing.seconds).sum();
    let threads = rayon::current_num_threads();
    println!("\n{name}, {threads} threads: {:.1} ms in kernels", total * 1e3);
    for (call, count, timing) in &rows {
        let all = *count as f64 * timing.seconds;
        let rate = timing.operations as f64 / timing.seconds / 1e9;
        println!(
            "{call:<34} {:<16} {count:>2} x {:>8.3} ms {rate:>8.1} {} {:>5.1} %",
            timing.pass,
            timing.seconds * 1e3,
            timing.unit,
            100.0 * all / total,
        );
    }
}
