//! The examples of docs/sweep-files.md are sweep files, and its tables name every key.

use std::path::Path;

use bitsweep_sweep::{Plan, SweepFile};

const TEXT: &str = include_str!("../../../docs/sweep-files.md");

/// The sweep files among the examples: those that name a sweep.
fn examples() -> Vec<&'static str> {
    let blocks = TEXT.split("```toml\n").skip(1).map(|rest| rest.split("```").next().unwrap_or(""));
    blocks.filter(|block| block.starts_with("name = ")).collect()
}

#[test]
fn every_example_is_a_sweep_file() {
    let examples = examples();
    assert_eq!(examples.len(), 5);
    for example in examples {
        let planned = SweepFile::parse(example, "example")
            .and_then(|file| Plan::new(&file, Some(Path::new("/sweeps"))));
        if let Err(error) = planned {
            panic!("{error}\n{example}");
        }
    }
}

/// The keys that an unknown key's message lists.
fn valid_keys(text: &str) -> Vec<String> {
    let error = SweepFile::parse(text, "example").expect_err("an unknown key").to_string();
    let (_, keys) = error.split_once("valid here: ").unwrap_or_else(|| panic!("{error}"));
    keys.split(", ").map(str::to_owned).collect()
}

#[test]
fn every_key_is_documented() {
    let head = "name = \"s\"\nnetworks = [\"resnet18\"]\nbits = [32]\n";
    let dataset =
        "[dataset]\nname = \"image-folder\"\npath = \"/i\"\nclasses = 9\nresolution = 32\n";
    let unknown = "qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq = 1\n";
    let top = valid_keys(&format!("{unknown}{head}{dataset}[train]\nepochs = 1\n"));
    let images = valid_keys(&format!("{head}{dataset}{unknown}[train]\nepochs = 1\n"));
    let train = valid_keys(&format!("{head}{dataset}[train]\nepochs = 1\n{unknown}"));
    assert!(top.len() > 10 && images.len() > 12 && train.len() > 30);
    for key in images.iter().chain(&train) {
        assert!(TEXT.contains(&format!("`{key}`")), "{key} is not documented");
    }
    for key in top {
        let forms = [format!("`{key}`"), format!("[{key}]"), format!("\n{key} = ")];
        assert!(forms.iter().any(|form| TEXT.contains(form)), "{key} is not documented");
    }
}
