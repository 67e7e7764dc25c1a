//! What the commands that need no coordinator print, and how they exit.

use assert_cmd::Command;
use assert_cmd::assert::Assert;

fn bitsweep(arguments: &[&str]) -> Assert {
    Command::new(env!("CARGO_BIN_EXE_bitsweep")).args(arguments).assert()
}

fn standard_output(assert: &Assert) -> String {
    String::from_utf8_lossy(&assert.get_output().stdout).into_owned()
}

fn standard_error(assert: &Assert) -> String {
    String::from_utf8_lossy(&assert.get_output().stderr).into_owned()
}

#[test]
fn help_teaches_the_first_steps_and_the_exit_codes() {
    let help = standard_output(&bitsweep(&["--help"]).success());
    for part in ["bitsweep run quickstart", "Exit codes:", "Ctrl-C", "export"] {
        assert!(help.contains(part), "{part} is missing in:\n{help}");
    }
    assert!(!help.contains("\n  trial "), "an inner command is advertised:\n{help}");
}

#[test]
fn check_prints_chains_trials_and_bytes_of_the_embedded_sweep() {
    let plan = standard_output(&bitsweep(&["check", "quickstart"]).success());
    for part in [
        "12 trials in 3 independent chains",
        "resnet18-32-s0 → resnet18-4-s0 → resnet18-3-s0 → resnet18-2-s0",
        "176,258",
        "bytes at 2 bits",
    ] {
        assert!(plan.contains(part), "{part} is missing in:\n{plan}");
    }
}

#[test]
fn check_counts_a_folder_that_is_here_and_says_so_where_it_cannot() {
    let folder = tempfile::tempdir().expect("a folder");
    for image in ["train/a/1.png", "train/b/2.png", "val/a/3.png"] {
        let path = folder.path().join("images").join(image);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        std::fs::write(path, "").expect("written");
    }
    let file = folder.path().join("few.toml");
    let text = "name = \"few\"\nnetworks = [\"resnet18\"]\nbits = [32, 4]\n[dataset]\nname = \"image-folder\"\n\
                path = \"images\"\nclasses = 3\nresolution = 32\n[train]\nepochs = 1\nema-decay = 0.9\n";
    std::fs::write(&file, text).expect("written");
    let path = file.to_string_lossy();
    let plan = standard_output(&bitsweep(&["check", &path]).success());
    for part in [
        "2 training and 1 validation images",
        "has 2 class folders and dataset.classes = 3",
        "resnet18-32, resnet18-4: moving average 0.9",
    ] {
        assert!(plan.contains(part), "{part} is missing in:\n{plan}");
    }
    std::fs::write(&file, text.replace("\"images\"", "\"elsewhere\"")).expect("written");
    let plan = standard_output(&bitsweep(&["check", &path]).success());
    assert!(plan.contains("costs are an estimate from 1,000 training"), "{plan}");
}

#[test]
fn a_bad_sweep_file_is_one_line_with_its_place_and_exit_code_2() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("bad.toml");
    std::fs::write(&file, "name = \"bad\"\nnetworks = [\"resnet81\"]\n").expect("written");
    let path = file.to_string_lossy();
    let told = standard_error(&bitsweep(&["check", &path]).code(2));
    assert!(told.contains("bad.toml:2:13: networks[0] = \"resnet81\""), "{told}");
    assert!(told.contains("did you mean \"resnet18\"?"), "{told}");
    assert_eq!(told.lines().count(), 1, "{told}");
}

#[test]
fn what_is_not_there_is_named_with_what_to_do() {
    let told = standard_error(&bitsweep(&["check", "no-such.toml"]).code(2));
    assert!(told.contains("no-such.toml") && told.contains("quickstart"), "{told}");
    let folder = tempfile::tempdir().expect("a folder");
    let missing = folder.path().join("nothing");
    let told =
        standard_error(&bitsweep(&["status", "--state", &missing.to_string_lossy()]).code(1));
    assert!(told.contains("run a sweep first"), "{told}");
}

#[cfg(not(feature = "train"))]
#[test]
fn a_trial_process_of_a_build_without_training_says_so() {
    let told = standard_error(&bitsweep(&["trial"]).code(2));
    assert!(told.contains("built without training"), "{told}");
}

#[cfg(feature = "train")]
#[test]
fn a_trial_process_without_a_request_says_who_starts_it() {
    let told = standard_error(&bitsweep(&["trial"]).code(1));
    assert!(told.contains("bitsweep run"), "{told}");
}

#[cfg(feature = "train")]
#[test]
fn devices_are_listed_for_people_and_for_programs() {
    let list = standard_output(&bitsweep(&["devices"]).success());
    assert!(list.contains("flex"), "{list}");
    let json = standard_output(&bitsweep(&["devices", "--json"]).success());
    let document: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(document["devices"][0]["name"], "flex", "{json}");
    let names: Vec<_> = document["devices"].as_array().expect("a list").iter().collect();
    let has = |name: &str| names.iter().any(|device| device["name"] == name);
    assert_eq!(has("cpu"), document["libtorch"] == true, "{json}");
    assert_eq!(has("cuda:0"), document["without_gpu"].is_null(), "{json}");
}

#[cfg(feature = "train")]
#[test]
fn a_device_that_is_not_there_is_named_before_anything_starts() {
    for device in ["cuda:77", "tpu"] {
        for command in [vec!["run", "quickstart"], vec!["worker", "--coordinator", "127.0.0.1:1"]] {
            let arguments = [&command[..], &["--device", device]].concat();
            let error = standard_error(&bitsweep(&arguments).code(2));
            assert!(error.contains(device), "{error}");
            assert!(error.contains("flex"), "what there is instead is missing: {error}");
        }
    }
}
