//! Compiles the BPF object and generates the Rust types of what it shares with user space.

use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use libbpf_cargo::SkeletonBuilder;

const CLANG_ARGS: [&str; 7] = [
    "-Ibpf",
    // Atomics that return values; every kernel since 5.12 has them.
    "-mcpu=v3",
    "-Wall",
    "-Wextra",
    "-Werror",
    // BPF_PROG() declares what a program's arguments are, used or not.
    "-Wno-unused-parameter",
    "-Wno-unused-function",
];

fn main() {
    println!("cargo:rerun-if-changed=bpf");
    #[expect(clippy::expect_used, reason = "cargo always sets it for build scripts")]
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("OUT_DIR"));
    let built = SkeletonBuilder::new()
        .source("bpf/probe.bpf.c")
        .obj(out.join("probe.bpf.o"))
        .clang_args(CLANG_ARGS)
        .build_and_generate(out.join("probe.skel.rs"));
    if let Err(error) = built {
        println!("cargo:warning=the BPF object needs clang 12 or later; scripts/setup installs it");
        #[expect(clippy::panic, reason = "how a build script fails")]
        {
            panic!("cannot build bpf/probe.bpf.c: {error:#}");
        }
    }
    #[expect(clippy::expect_used, reason = "how a build script fails")]
    without_allows(&out.join("probe.skel.rs")).expect("rewriting the skeleton");
}

/// The skeleton carries `allow` attributes without a reason, which our lints refuse even in
/// generated code. src/skel.rs allows everything for it, with one.
fn without_allows(skeleton: &Path) -> io::Result<()> {
    let text = fs::read_to_string(skeleton)?;
    let lines = text.lines().filter(|line| !line.trim_start().starts_with("#[allow("));
    fs::write(skeleton, lines.collect::<Vec<_>>().join("\n"))
}
