//! Where things are: the repository, its build output, the cache that outlives a clone.

use std::path::Path;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Context;
use anyhow::Result;

use crate::process;

/// The binaries that the end-to-end layers run, and the packages that hold them.
const PACKAGES: [&str; 3] = ["femtosnitch", "femtosnitch-testkit", "femtosnitch-e2e"];

/// Paths of the binaries that a test layer needs.
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
    // What it said of this crate would count as a change: ring asks to be built again, and all that
    // is built on it, whenever it differs from what cargo alone was started with.
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(of_this_crate) {
            command.env_remove(name);
        }
    }
    Ok(command)
}

/// Whether cargo sets this variable for the crate that it runs.
fn of_this_crate(variable: &str) -> bool {
    ["CARGO_PKG_", "CARGO_MANIFEST_"].into_iter().any(|prefix| variable.starts_with(prefix))
}

/// Builds, as it is shipped, what is measured.
pub(crate) fn build_release() -> Result<Binaries> {
    build("release")
}

/// Builds what the end-to-end layers run. Cargo.toml says what differs from what is shipped.
pub(crate) fn build_e2e() -> Result<Binaries> {
    build("e2e")
}

fn build(profile: &str) -> Result<Binaries> {
    let mut command = cargo()?;
    command.args(["build", "--profile", profile]);
    for package in PACKAGES {
        command.args(["--package", package]);
    }
    process::run(&mut command)?;
    let [femtosnitch, testkit, e2e] =
        PACKAGES.map(|name| target().map(|t| t.join(profile).join(name)));
    Ok(Binaries { femtosnitch: femtosnitch?, testkit: testkit?, e2e: e2e? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cargo_started_by_us_is_told_nothing_of_this_crate() {
        assert!(std::env::vars().any(|(name, _)| of_this_crate(&name)), "cargo tells us something");
        let cargo = cargo().unwrap();
        let removed = |wanted: &str| cargo.get_envs().any(|it| it == (wanted.as_ref(), None));
        assert!(removed("CARGO_PKG_NAME") && removed("CARGO_MANIFEST_DIR"));
        assert!(!removed("CARGO") && !removed("PATH"));
    }
}
