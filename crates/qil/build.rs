//! With feature `tch`: compiles the few lines of C++ that reach what torch-sys leaves out.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    #[cfg(feature = "tch")]
    libtorch();
}

#[cfg(feature = "tch")]
fn libtorch() {
    use std::env::var_os;
    use std::path::PathBuf;

    const SOURCE: &str = "src/ops/libtorch/shim.cpp";

    println!("cargo::rerun-if-changed={SOURCE}");
    // Where torch-sys found LibTorch.
    let libraries = var_os("DEP_TCH_LIBTORCH_LIB").map(PathBuf::from);
    let libraries = libraries.expect("torch-sys says where LibTorch's libraries are");
    let include = libraries.with_file_name("include");
    cc::Build::new()
        .cpp(true)
        .std("c++17")
        .warnings(false)
        .include(&include)
        .include(include.join("torch/csrc/api/include"))
        .file(SOURCE)
        .compile("bitsweep_libtorch");
    // Tests of this crate find the library where it was linked.
    println!("cargo::rustc-link-arg=-Wl,-rpath,{}", libraries.display());
}
