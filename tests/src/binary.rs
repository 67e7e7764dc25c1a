//! Finding the binary under test.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::SystemTime;

/// The `bitsweep` binary of the target directory and profile that the tests run from, built when it
/// is missing or older than its sources. (Cargo names a binary's path only to tests of its own package.)
/// `BITSWEEP_BINARY` names another one, for example an installed one.
pub fn bitsweep() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        if let Some(binary) = std::env::var_os("BITSWEEP_BINARY") {
            return binary.into();
        }
        // <target>/<profile>/deps/<test>
        let test = std::env::current_exe().unwrap();
        let profile = test.ancestors().nth(2).unwrap();
        let binary = profile.join("bitsweep");
        if !is_current(&binary) {
            build(profile);
        }
        binary
    })
}

fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

fn is_current(binary: &Path) -> bool {
    let Ok(built) = fs::metadata(binary).and_then(|metadata| metadata.modified()) else {
        return false;
    };
    let root = workspace();
    let crates = fs::read_dir(root.join("crates")).unwrap().flatten().map(|entry| entry.path());
    let sources = crates.flat_map(|path| [path.join("src"), path.join("Cargo.toml")]);
    let shared = ["Cargo.toml", "Cargo.lock", "proto", "sweeps"].map(|name| root.join(name));
    sources.chain(shared).all(|path| newest(&path) <= built)
}

/// When the newest file at or below `path` was changed.
fn newest(path: &Path) -> SystemTime {
    let below = fs::read_dir(path).into_iter().flatten().flatten().map(|e| newest(&e.path())).max();
    let own = fs::metadata(path).ok().filter(|metadata| metadata.is_file());
    own.and_then(|metadata| metadata.modified().ok()).max(below).unwrap_or(SystemTime::UNIX_EPOCH)
}

fn build(profile: &Path) {
    let name = match profile.file_name().and_then(|name| name.to_str()).unwrap() {
        "debug" => "dev",
        other => other,
    };
    let status = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--package", "bitsweep", "--profile", name, "--target-dir"])
        .arg(profile.parent().unwrap())
        .current_dir(workspace())
        .status()
        .unwrap();
    assert!(status.success(), "the binary under test does not build");
}

/// A program among the examples of this package.
pub fn example(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let path = test.ancestors().nth(2).unwrap().join("examples").join(name);
    assert!(path.exists(), "{} is missing; `cargo test` builds it", path.display());
    path
}
