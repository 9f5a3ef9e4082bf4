//! Sees to it that this crate is compiled again when the dashboard's pages were built.

use std::path::Path;

fn main() {
    let dist = Path::new("../../web/dist");
    // Without the directory Cargo would take it for changed every time. Where it cannot be made,
    // that is all that happens.
    drop(std::fs::create_dir_all(dist));
    println!("cargo::rerun-if-changed={}", dist.display());
}
