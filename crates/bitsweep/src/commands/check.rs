//! `bitsweep check`: what a sweep file asks for.

mod count;
mod settings;

use std::fmt::Write as _;

use bitsweep_sweep::{
    ASSUMED_IMAGES_PER_CLASS, Architecture, Bits, DataSpec, ImageCounts, Plan, Role, SweepFile,
    TrialSpec,
};
use comfy_table::{CellAlignment, Table, presets};

use count::Counted;

use crate::cli;
use crate::failure::{Ending, Failure};
use crate::sweep_source::SweepSource;

pub(crate) fn run(arguments: &cli::Check) -> Result<Ending, Failure> {
    let source = SweepSource::open(&arguments.file)?;
    let data = first_data(&source.plan);
    let training_data = source.plan.trials.iter().find_map(|t| t.spec.training_data.as_ref());
    let (data_counted, training_counted) =
        (count::count(data), training_data.and_then(count::count));
    let counts = ImageCounts {
        data: data_counted.map(|counted| counted.images),
        training_data: training_counted.map(|counted| counted.images),
    };
    let file = SweepFile::parse(&source.text, &source.name)?;
    let plan = Plan::with_counts(&file, source.base_directory.as_deref(), counts)?;
    print!("{}", describe(&source.name, &plan)?);
    for (data, counted) in [(Some(data), data_counted), (training_data, training_counted)] {
        if let Some(note) = data.and_then(|data| images_note(data, counted)) {
            println!("{note}");
        }
    }
    if let Some(counted) = data_counted
        && let Some(note) = classes_note(&plan, counted)
    {
        println!("{note}");
    }
    Ok(Ending::Done)
}

fn first_data(plan: &Plan) -> &DataSpec {
    &plan.trials[0].spec.data
}

/// How many images the costs rest on, where the data set itself does not say.
fn images_note(data: &DataSpec, counted: Option<Counted>) -> Option<String> {
    if !matches!(data.name.as_str(), "image-folder" | "packed") {
        return None;
    }
    let place = settings::place(data);
    Some(match counted {
        Some(Counted { images, .. }) => format!(
            "{place}: {} training and {} validation images",
            grouped(images.train),
            grouped(images.validation)
        ),
        None => format!(
            "{place}: not counted here; costs are an estimate from {} training and {} validation images a class",
            grouped(ASSUMED_IMAGES_PER_CLASS.train),
            grouped(ASSUMED_IMAGES_PER_CLASS.validation)
        ),
    })
}

/// That the folder has other classes than the sweep file says: the trials would not start.
fn classes_note(plan: &Plan, counted: Counted) -> Option<String> {
    let said = plan.trials[0].spec.model.classes;
    (counted.classes as u64 != u64::from(said)).then(|| {
        format!(
            "{}: has {} class folders and dataset.classes = {said}; trials will refuse it",
            settings::place(first_data(plan)),
            counted.classes
        )
    })
}

/// The plan as text: the chains, the trials, and each network's size at each width.
fn describe(file: &str, plan: &Plan) -> Result<String, Failure> {
    let mut text = String::new();
    let trials = plan.trials.len();
    let data = first_data(plan);
    let _ = writeln!(
        text,
        "{file}: sweep {}, {trials} trials in {} independent chains, on {} at {} pixels\n",
        plan.name,
        plan.chains(),
        data.name,
        data.resolution
    );
    for planned in plan.trials.iter().filter(|t| t.spec.parent.is_none()) {
        let _ = writeln!(text, "{}", chain(plan, &planned.spec));
    }
    let _ = writeln!(text, "\n{}", trial_table(plan));
    let lines = settings::lines(plan);
    if !lines.is_empty() {
        let _ = writeln!(text, "\n{}", lines.join("\n"));
    }
    let _ = writeln!(text, "\n{}", size_table(plan)?);
    let total: f64 = plan.trials.iter().map(|t| t.cost).sum();
    let _ = writeln!(text, "\nin all {} multiply-accumulates", engineering(total));
    Ok(text)
}

/// `a → b → c`, with branches indented below the trial they start from.
fn chain(plan: &Plan, root: &TrialSpec) -> String {
    fn walk(plan: &Plan, at: &TrialSpec, depth: usize, text: &mut String) {
        let children: Vec<&TrialSpec> = plan
            .trials
            .iter()
            .map(|t| &t.spec)
            .filter(|s| s.parent.as_ref() == Some(&at.name))
            .collect();
        match children.as_slice() {
            [] => {}
            [only] => {
                let _ = write!(text, " → {}", only.name);
                walk(plan, only, depth, text);
            }
            many => {
                for child in many {
                    let _ =
                        write!(text, "\n{:indent$}└ {}", "", child.name, indent = 2 + 2 * depth);
                    walk(plan, child, depth + 1, text);
                }
            }
        }
    }
    let mut text = format!("  {}", root.name);
    walk(plan, root, 1, &mut text);
    text
}

fn trial_table(plan: &Plan) -> Table {
    let mut table = plain_table();
    table.set_header([
        "trial",
        "starts from",
        "compared with",
        "epochs",
        "batch",
        "lr",
        "γ",
        "MACs",
    ]);
    for planned in &plan.trials {
        let spec = &planned.spec;
        let name = |name: &Option<bitsweep_sweep::TrialName>| {
            name.as_ref().map_or_else(|| "-".to_owned(), ToString::to_string)
        };
        let gamma = match (spec.bits.weights, spec.train.gamma) {
            (32, _) => "-",
            (_, bitsweep_sweep::Gamma::Fixed) => "fixed",
            (_, bitsweep_sweep::Gamma::Learned) => "learned",
        };
        table.add_row([
            spec.name.to_string(),
            name(&spec.parent),
            name(&spec.reference),
            spec.train.epochs.to_string(),
            spec.train.batch_size.to_string(),
            spec.train.learning_rate.to_string(),
            gamma.to_owned(),
            engineering(planned.cost),
        ]);
    }
    align_right(&mut table, 3..=5);
    align_right(&mut table, 7..=7);
    table
}

/// Parameters and stored bytes of each network at each width of the sweep.
fn size_table(plan: &Plan) -> Result<Table, Failure> {
    let mut widths: Vec<Bits> = plan.trials.iter().map(|t| t.spec.bits).collect();
    widths.sort_unstable_by(|a, b| b.cmp(a));
    widths.dedup();
    let mut table = plain_table();
    let header = ["network", "parameters"].map(str::to_owned).into_iter();
    table.set_header(header.chain(widths.iter().map(|bits| format!("bytes at {bits} bits"))));
    let first_seed = plan.trials[0].spec.seed;
    let baselines =
        plan.trials.iter().filter(|t| t.spec.role == Role::Baseline && t.spec.seed == first_seed);
    for planned in baselines {
        let spec = &planned.spec;
        let architecture =
            Architecture::new(&spec.model, spec.data.resolution).map_err(Failure::Input)?;
        let mut row = vec![spec.model.network.to_string(), grouped(architecture.parameters())];
        row.extend(widths.iter().map(|bits| grouped(architecture.model_bytes(*bits))));
        table.add_row(row);
    }
    align_right(&mut table, 1..=widths.len() + 1);
    Ok(table)
}

fn plain_table() -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table
}

fn align_right(table: &mut Table, columns: std::ops::RangeInclusive<usize>) {
    for index in columns {
        if let Some(column) = table.column_mut(index) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
}

/// `11,689,512`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1.8 T`: three digits at most and a decimal prefix.
fn engineering(value: f64) -> String {
    let prefixes = ["", " k", " M", " G", " T", " P", " E"];
    let mut scaled = value;
    let mut at = 0;
    while scaled >= 999.5 && at + 1 < prefixes.len() {
        scaled /= 1000.0;
        at += 1;
    }
    let decimals = usize::from(scaled < 99.95) + usize::from(scaled < 9.995);
    format!("{scaled:.decimals$}{}", prefixes[at])
}

#[cfg(test)]
mod tests {
    use super::{engineering, grouped};

    #[test]
    fn numbers_are_grouped_and_scaled() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(11_689_512), "11,689,512");
        assert_eq!(engineering(999.4), "999");
        assert_eq!(engineering(1.814e9), "1.81 G");
        assert_eq!(engineering(12_300.0), "12.3 k");
    }
}
