//! Compiles the BPF object and generates the Rust types of what it shares with user space.

use std::env;
use std::path::PathBuf;

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
}
