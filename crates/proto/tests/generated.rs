//! The committed generated code is what the `.proto` files say.
//!
//! After a change of a `.proto` file: `BITSWEEP_REGENERATE=1 cargo test -p bitsweep-proto --test generated`.

use std::path::{Path, PathBuf};

use prost::Message;

const FILES: [&str; 5] = [
    "bitsweep/v1/types.proto",
    "bitsweep/v1/trial.proto",
    "bitsweep/v1/worker.proto",
    "bitsweep/v1/sweep.proto",
    "bitsweep/v1/artifact.proto",
];

fn generate(into: &Path) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../proto");
    let descriptors = protox::compile(FILES, [root]).expect("the .proto files compile");
    std::fs::write(into.join("descriptors.bin"), strip_source(descriptors.clone()).encode_to_vec())
        .expect("the folder is writable");
    tonic_prost_build::configure()
        .out_dir(into)
        .compile_fds(descriptors)
        .expect("code is generated");
}

/// Reflection needs names and types, not comments.
fn strip_source(mut set: prost_types::FileDescriptorSet) -> prost_types::FileDescriptorSet {
    for file in &mut set.file {
        file.source_code_info = None;
    }
    set
}

#[test]
fn committed_code_matches_the_proto_files() {
    let committed: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/generated");
    if std::env::var_os("BITSWEEP_REGENERATE").is_some() {
        generate(&committed);
    }
    let fresh = tempfile::tempdir().expect("a temporary folder");
    generate(fresh.path());
    for name in ["bitsweep.v1.rs", "descriptors.bin"] {
        let expected = std::fs::read(fresh.path().join(name)).expect("generated");
        let found = std::fs::read(committed.join(name)).unwrap_or_default();
        assert!(
            expected == found,
            "{name} is out of date: run BITSWEEP_REGENERATE=1 cargo test -p bitsweep-proto --test generated"
        );
    }
}
