//! What libbpf-cargo generated from the object's BTF. Only `abi.rs` and `load.rs` may look inside.
#![allow(
    warnings,
    clippy::all,
    clippy::pedantic,
    clippy::undocumented_unsafe_blocks,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "generated code"
)]

include!(concat!(env!("OUT_DIR"), "/probe.skel.rs"));
