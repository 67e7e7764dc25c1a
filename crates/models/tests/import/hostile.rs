//! What is said of bad files, and that nothing in them acts.

use std::fs;
use std::path::Path;

use bitsweep_models::import::read;

use crate::fixtures::fixture;

fn error_of(bytes: &[u8]) -> String {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(&file, bytes).unwrap();
    let message = read(file.path()).unwrap_err().to_string();
    assert!(message.contains(&file.path().display().to_string()), "{message}");
    assert!(!message.contains('\n'), "{message}");
    message
}

#[test]
fn code_in_a_pickle_is_refused_and_not_executed() {
    for name in ["hostile.pth", "hostile.pkl"] {
        let message = read(&fixture(name)).unwrap_err().to_string();
        assert!(message.contains(name), "{message}");
        assert!(!Path::new("hostile-pickle-was-executed").exists());
    }
}

#[test]
fn a_cut_file_is_an_error_wherever_it_is_cut() {
    for name in ["resnet18.safetensors", "resnet18-legacy.pth", "resnet18-training.pth"] {
        let bytes = fs::read(fixture(name)).unwrap();
        let cuts = (0..bytes.len()).step_by(bytes.len() / 97).chain([bytes.len() - 1]);
        for cut in cuts {
            error_of(&bytes[..cut]);
        }
    }
}

#[test]
fn a_flipped_byte_never_ends_the_program() {
    let file = tempfile::NamedTempFile::new().unwrap();
    for name in ["resnet18.safetensors", "resnet18-legacy.pth", "resnet18-training.pth"] {
        let good = fs::read(fixture(name)).unwrap();
        // Most of the structure is at the beginning.
        let places = (0..512).chain((512..good.len()).step_by(89));
        for place in places {
            let mut bytes = good.clone();
            bytes[place] ^= 0xff;
            fs::write(&file, &bytes).unwrap();
            let _ = read(file.path());
        }
    }
}

#[test]
fn deep_nesting_is_an_error() {
    let mut bytes = b"\x80\x02".to_vec();
    bytes.extend(std::iter::repeat_n(b']', 200_000));
    bytes.extend(std::iter::repeat_n(b'a', 199_999));
    bytes.push(b'.');
    error_of(&bytes);
}

#[test]
fn files_that_people_take_for_weights_are_named() {
    assert!(error_of(b"").contains("empty"));
    assert!(error_of(b"\x1f\x8b\x08\x00").contains("gunzip"));
    assert!(error_of(b"version https://git-lfs.github.com/spec/v1\n").contains("git lfs pull"));
    assert!(error_of(b"<!DOCTYPE html><html>").contains("web page"));
    assert!(error_of(b"PNG or anything else").contains("neither safetensors nor"));
    let missing = read(Path::new("no/such/file.pth")).unwrap_err().to_string();
    assert!(missing.contains("no/such/file.pth"), "{missing}");
}

#[test]
fn numbers_that_are_none_are_named() {
    let tensors = |bytes: &[u8], dtype| {
        let view = safetensors::tensor::TensorView::new(dtype, vec![1], bytes).unwrap();
        safetensors::serialize([("fc.bias", view)], None).unwrap()
    };
    let float = safetensors::tensor::Dtype::F32;
    assert!(error_of(&tensors(&f32::NAN.to_le_bytes(), float)).contains("fc.bias holds NaN"));
    let integer = safetensors::tensor::Dtype::I32;
    assert!(error_of(&tensors(&1_i32.to_le_bytes(), integer)).contains("fc.bias holds I32"));
}
