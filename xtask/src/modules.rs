//! Kernel modules: which ones a guest gets, and the order in which they load.

use std::collections::BTreeMap;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Context as _;
use anyhow::Result;

use crate::process;

/// What the tests need and cloud kernels build as modules. One that a kernel does not have is
/// built in or unknown to it; both are fine.
const WANTED: &[&str] = &[
    "veth",
    "bridge",
    "tun",
    "overlay",
    "fuse",
    "sctp",
    "inet_diag",
    "tcp_diag",
    "udp_diag",
    "raw_diag",
    "sctp_diag",
    "nf_tables",
    "nf_conntrack",
    "nft_ct",
    "nft_objref",
    "sch_netem",
    // Traffic of the kernel's own: by socket calls, and without.
    "nbd",
    "vxlan",
    // TLS by the kernel, and the ciphers that it asks for by name: the guest has no modprobe.
    "tls",
    "ctr",
    "gcm",
    "ghash_generic",
];

/// Modules in loading order, with what is in their files.
pub(crate) fn load_order(modules: &Path) -> Result<Vec<PathBuf>> {
    let index = modules.join("modules.dep");
    let text = std::fs::read_to_string(&index).with_context(|| {
        format!("cannot read {}: remove its kernel from the cache", index.display())
    })?;
    Ok(order(&text, WANTED))
}

/// The content of a module's file, unpacked: the guest's `insmod` takes plain objects only.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>> {
    let unpacker = match path.extension().and_then(std::ffi::OsStr::to_str) {
        Some("xz") => "xz",
        Some("zst") => "zstd",
        Some("gz") => "gzip",
        _ => return std::fs::read(path).with_context(|| format!("cannot read {}", path.display())),
    };
    process::bytes(Command::new(process::need(unpacker)?).arg("-dc").arg(path))
}

/// The name that the kernel knows a module by: `net/inet-diag.ko.xz` → `inet_diag`.
pub(crate) fn name(path: &Path) -> String {
    let file = path.file_name().unwrap_or_default().to_string_lossy();
    file.split(".ko").next().unwrap_or_default().replace('-', "_")
}

/// `modules.dep` names each module and all that it depends on, what loads first standing last.
fn order(index: &str, wanted: &[&str]) -> Vec<PathBuf> {
    let dependencies: BTreeMap<String, (&Path, &str)> = index
        .lines()
        .filter_map(|line| line.split_once(':'))
        .map(|(module, rest)| (name(Path::new(module)), (Path::new(module), rest)))
        .collect();
    let mut ordered: Vec<PathBuf> = Vec::new();
    for (module, rest) in wanted.iter().filter_map(|wanted| dependencies.get(*wanted)) {
        let first = rest.split_whitespace().rev().map(Path::new);
        for path in first.chain([*module]) {
            if !ordered.iter().any(|known| known == path) {
                ordered.push(path.to_path_buf());
            }
        }
    }
    ordered
}

#[cfg(test)]
mod tests {
    use super::*;

    const INDEX: &str = "\
kernel/net/tcp-diag.ko.xz: kernel/net/inet_diag.ko.xz
kernel/net/inet_diag.ko.xz:
kernel/net/bridge.ko.xz: kernel/net/stp.ko.xz kernel/net/llc.ko.xz
kernel/net/unwanted.ko.xz: kernel/net/llc.ko.xz
kernel/net/llc.ko.xz:
";

    #[test]
    fn dependencies_load_first_and_once() {
        let names: Vec<String> = order(INDEX, &["bridge", "tcp_diag", "inet_diag"])
            .iter()
            .map(|path| name(path))
            .collect();
        assert_eq!(names, ["llc", "stp", "bridge", "inet_diag", "tcp_diag"]);
    }

    #[test]
    fn a_module_that_is_not_there_is_left_out() {
        assert!(order(INDEX, &["veth"]).is_empty());
    }

    #[test]
    fn plain_modules_are_read_as_they_are() {
        let file = tempfile::NamedTempFile::with_suffix(".ko").unwrap();
        std::fs::write(file.path(), b"\x7fELF").unwrap();
        assert_eq!(read(file.path()).unwrap(), b"\x7fELF");
    }
}
