//! Debian's package archive, read with apt through a configuration of our own: the host's package
//! lists, sources and locks are neither used nor touched, and no root is needed.

use std::fmt::Write as _;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Context as _;
use anyhow::Result;
use anyhow::bail;

use crate::process;

/// Signs the archive; apt refuses what it does not vouch for.
const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// An archive and one of its suites.
pub(crate) type Source = (&'static str, &'static str);

/// A package in one version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Package {
    /// Name, e.g. `linux-image-6.1.0-56-cloud-amd64`.
    pub(crate) name: String,
    /// Debian version, e.g. `6.1.192-2`.
    pub(crate) version: String,
}

/// An apt that knows only the sources it was made with.
#[derive(Clone)]
pub(crate) struct PrivateApt {
    config: PathBuf,
}

impl PrivateApt {
    /// Writes the configuration below `directory` and fetches the package lists.
    pub(crate) fn prepare(directory: &Path, sources: &[Source]) -> Result<Self> {
        process::find("apt-get").context(
            "the kernel matrix gets its kernels from Debian with apt-get, and this machine has none: \
             install apt, or set FEMTOSNITCH_SKIP_VM=1 to leave this layer out",
        )?;
        if !Path::new(KEYRING).exists() {
            bail!("{KEYRING} is missing: install the package debian-archive-keyring");
        }
        for part in ["state/lists/partial", "cache/archives/partial", "empty"] {
            std::fs::create_dir_all(directory.join(part))
                .with_context(|| format!("cannot write below {}", directory.display()))?;
        }
        std::fs::write(directory.join("state/status"), "")?;
        std::fs::write(directory.join("sources.list"), lines(&mirror(), sources))?;
        let config = directory.join("apt.conf");
        std::fs::write(&config, configuration(directory) + &host_network()?)?;
        let apt = Self { config };
        process::run(apt.command("apt-get").args(["-qq", "update"])).context(
            "cannot fetch Debian's package lists, apt says why above: is the network up? \
             FEMTOSNITCH_DEBIAN_MIRROR=http://… chooses another mirror",
        )?;
        Ok(apt)
    }

    /// Every version of every package whose name matches the regular expression `names`.
    pub(crate) fn packages(&self, names: &str) -> Result<Vec<Package>> {
        let found =
            process::text(self.command("apt-cache").args(["search", "--names-only", names]))?;
        let names: Vec<&str> = found.lines().filter_map(|line| line.split(' ').next()).collect();
        if names.is_empty() {
            return Ok(Vec::new());
        }
        let table = process::text(self.command("apt-cache").arg("madison").args(names))?;
        Ok(table.lines().filter_map(parse_madison).collect())
    }

    /// Downloads one package into `directory` and returns the file.
    pub(crate) fn download(&self, package: &Package, directory: &Path) -> Result<PathBuf> {
        let wanted = format!("{}={}", package.name, package.version);
        process::run(
            self.command("apt-get").args(["-qq", "download", &wanted]).current_dir(directory),
        )?;
        std::fs::read_dir(directory)?
            .filter_map(Result::ok)
            .map(|entry| entry.path())
            .find(|path| is_archive_of(path, &package.name))
            .with_context(|| format!("apt-get left no package in {}", directory.display()))
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.env("APT_CONFIG", &self.config).env("LC_ALL", "C");
        command
    }
}

/// Where the archive is mirrored.
fn mirror() -> String {
    std::env::var("FEMTOSNITCH_DEBIAN_MIRROR")
        .ok()
        .filter(|mirror| !mirror.is_empty())
        .unwrap_or_else(|| "http://deb.debian.org".into())
}

/// Whether `path` is the file of the package `name`: `NAME_VERSION_ARCHITECTURE.deb`.
fn is_archive_of(path: &Path, name: &str) -> bool {
    let file = path.file_name().unwrap_or_default().to_string_lossy();
    file.strip_suffix(".deb").and_then(|file| file.split_once('_')).is_some_and(|(n, _)| n == name)
}

fn lines(mirror: &str, sources: &[Source]) -> String {
    let mut lines = String::new();
    for (archive, suite) in sources {
        let mirror = mirror.trim_end_matches('/');
        let _infallible =
            writeln!(lines, "deb [arch=amd64 signed-by={KEYRING}] {mirror}/{archive} {suite} main");
    }
    lines
}

fn configuration(directory: &Path) -> String {
    let directory = directory.display();
    format!(
        r#"Dir::State "{directory}/state";
Dir::State::status "{directory}/state/status";
Dir::Cache "{directory}/cache";
Dir::Etc::sourcelist "{directory}/sources.list";
Dir::Etc::sourceparts "{directory}/empty";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "{directory}/empty";
Dir::Etc::main "/dev/null";
Dir::Etc::parts "{directory}/empty";
APT::Architecture "amd64";
APT::Architectures {{ "amd64"; }};
APT::Sandbox::User "root";
APT::Update::Error-Mode "any";
Acquire::Languages "none";
Acquire::Retries "3";
"#
    )
}

/// The host's proxies: the rest of its configuration, hooks above all, is left out.
fn host_network() -> Result<String> {
    let all = process::text(Command::new("apt-config").arg("dump"))?;
    Ok(all
        .lines()
        .filter(|line| is_network(line))
        .fold(String::new(), |kept, line| kept + line + "\n"))
}

fn is_network(line: &str) -> bool {
    let line = line.to_ascii_lowercase();
    ["acquire::http::", "acquire::https::"].iter().any(|prefix| line.starts_with(prefix))
}

/// A line of `apt-cache madison`: name, version and source between bars.
fn parse_madison(line: &str) -> Option<Package> {
    let mut cells = line.split('|').map(str::trim);
    let (name, version, source) = (cells.next()?, cells.next()?, cells.next()?);
    if !source.ends_with("Packages") {
        return None;
    }
    Some(Package { name: name.into(), version: version.into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn madison_lines_become_packages() {
        let line = "linux-image-6.1.0-56-cloud-amd64 | 6.1.192-2 | http://deb.debian.org/debian-security bookworm-security/main amd64 Packages";
        let package = parse_madison(line).unwrap();
        assert_eq!(package.name, "linux-image-6.1.0-56-cloud-amd64");
        assert_eq!(package.version, "6.1.192-2");
        assert_eq!(parse_madison("linux | 6.1.192-2 | http://… bookworm/main Sources"), None);
        assert_eq!(parse_madison("N: nothing"), None);
    }

    #[test]
    fn sources_take_a_mirror_with_or_without_slash() {
        let sources = [("debian", "sid"), ("debian-security", "trixie-security")];
        let text = lines("http://mirror", &sources);
        assert_eq!(lines("http://mirror/", &sources), text);
        assert!(text.contains("http://mirror/debian-security trixie-security main\n"), "{text}");
    }

    #[test]
    fn packages_of_one_directory_are_told_apart() {
        let file = Path::new("/stage/linux-base-7.3.4+deb13-cloud-amd64_7.3.4-1~bpo13+1_amd64.deb");
        assert!(is_archive_of(file, "linux-base-7.3.4+deb13-cloud-amd64"));
        assert!(!is_archive_of(file, "linux-base"));
        assert!(!is_archive_of(Path::new("/stage/linux-base_1.part"), "linux-base"));
    }

    #[test]
    fn only_proxies_are_taken_from_the_host() {
        assert!(is_network(r#"Acquire::http::Proxy "http://proxy:3142";"#));
        assert!(!is_network(r#"APT::Update::Post-Invoke:: "rm -f /var/cache/apt/*.bin";"#));
    }
}
