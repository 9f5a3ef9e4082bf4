//! Where things are: the repository, its build output, the cache that outlives a clone.

use std::path::Path;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Context;
use anyhow::Result;

use crate::process;

/// The binaries that the end-to-end layers run, and the packages that hold them.
const PACKAGES: [&str; 3] = ["femtosnitch", "femtosnitch-testkit", "femtosnitch-e2e"];

/// Paths of the release binaries that a test layer needs.
pub(crate) struct Binaries {
    /// The product.
    pub(crate) femtosnitch: PathBuf,
    /// The traffic generator.
    pub(crate) testkit: PathBuf,
    /// The test runner.
    pub(crate) e2e: PathBuf,
}

/// The root of the repository.
pub(crate) fn root() -> Result<PathBuf> {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .map(Path::to_path_buf)
        .context("the xtask crate has to lie in the repository")
}

/// Where cargo puts what it builds.
pub(crate) fn target() -> Result<PathBuf> {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(directory) => Ok(std::path::absolute(directory)?),
        None => Ok(root()?.join("target")),
    }
}

/// Where downloads are kept between runs and clones: `FEMTOSNITCH_CACHE`, or the user's cache
/// directory.
pub(crate) fn cache() -> Result<PathBuf> {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let directory = set("FEMTOSNITCH_CACHE")
        .or_else(|| set("XDG_CACHE_HOME").map(|cache| cache.join("femtosnitch")))
        .or_else(|| set("HOME").map(|home| home.join(".cache/femtosnitch")))
        .context(
            "neither HOME nor FEMTOSNITCH_CACHE is set: set one, so that downloads have a place",
        )?;
    std::fs::create_dir_all(&directory)
        .with_context(|| format!("cannot create the cache directory {}", directory.display()))?;
    Ok(std::path::absolute(directory)?)
}

/// The cargo that runs us, or the one on the path.
pub(crate) fn cargo() -> Result<Command> {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root()?);
    Ok(command)
}

/// Builds the release binaries that the end-to-end layers run.
pub(crate) fn build_release() -> Result<Binaries> {
    let mut command = cargo()?;
    command.args(["build", "--release"]);
    for package in PACKAGES {
        command.args(["--package", package]);
    }
    process::run(&mut command)?;
    let [femtosnitch, testkit, e2e] =
        PACKAGES.map(|name| target().map(|t| t.join("release").join(name)));
    Ok(Binaries { femtosnitch: femtosnitch?, testkit: testkit?, e2e: e2e? })
}
