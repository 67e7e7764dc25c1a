//! With feature `tch`: notes in the binary where LibTorch is, so that it starts without being told again.

use std::env::var_os;
use std::path::PathBuf;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if var_os("CARGO_FEATURE_TCH").is_none() {
        return;
    }
    println!("cargo::rerun-if-env-changed=LIBTORCH");
    println!("cargo::rerun-if-env-changed=LIBTORCH_LIB");
    // As torch-sys looks for it.
    let root = var_os("LIBTORCH_LIB").or_else(|| var_os("LIBTORCH"));
    if let Some(root) = root
        && var_os("CARGO_CFG_UNIX").is_some()
    {
        println!("cargo::rustc-link-arg=-Wl,-rpath,{}", PathBuf::from(root).join("lib").display());
    }
}
