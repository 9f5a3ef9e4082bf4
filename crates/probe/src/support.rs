//! Facts about the running kernel. No decisions; those are in plan.rs.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::Path;

use libbpf_rs::btf::types::{Func, Struct, Typedef};
use libbpf_rs::btf::{Btf, BtfType};

use crate::ProbeError;
use crate::plan::{Attach, PROGRAMS};

/// What the kernel offers, as far as the programs care.
#[derive(Debug, Default, Clone)]
pub(crate) struct Facts {
    /// Tracepoints and functions that exist, by the name of the program that wants them.
    pub(crate) present: BTreeSet<&'static str>,
    /// Tasks can be preempted in the middle of a tracepoint's program.
    pub(crate) preemptible: bool,
    /// Many functions of one file can be hooked at once (Linux 6.6).
    pub(crate) hooks_many: bool,
    /// `uname -r`.
    pub(crate) release: String,
}

const VMLINUX_BTF: &str = "/sys/kernel/btf/vmlinux";
/// There where functions of programs can be hooked (`CONFIG_UPROBE_EVENTS`).
pub(crate) const UPROBES: &str = "/sys/bus/event_source/devices/uprobe/type";

impl Facts {
    /// Asks the kernel's own type information.
    pub(crate) fn gather() -> Result<Self, ProbeError> {
        if !Path::new(VMLINUX_BTF).exists() {
            return Err(ProbeError::NoBtf);
        }
        fs::File::open(VMLINUX_BTF).map_err(ProbeError::UnreadableBtf)?;
        let btf = Btf::from_vmlinux()
            .map_err(|error| ProbeError::UnreadableBtf(crate::error::to_io(&error)))?;
        let mut present = BTreeSet::new();
        for program in PROGRAMS {
            let exists = match program.attach {
                Attach::Tracepoint => {
                    // BPF reaches a tracepoint through the type of its probe function.
                    btf.type_by_name::<BtfType<'_>>(&format!("btf_trace_{}", program.target))
                        .is_some_and(|ty| Typedef::try_from(ty).is_ok())
                }
                Attach::Function => btf
                    .type_by_kind::<Func<'_>>()
                    .any(|func| func.name().is_some_and(|name| name == program.target)),
                Attach::Library => Path::new(UPROBES).exists(),
                // Program types rather than names: only a load can tell.
                Attach::Cgroup | Attach::Iterator => true,
            };
            if exists {
                present.insert(program.name);
            }
        }
        let release =
            fs::read_to_string("/proc/sys/kernel/osrelease").map_err(|error: io::Error| {
                ProbeError::Setup { what: "reading uname", source: error }
            })?;
        let release = release.trim().to_owned();
        let hooks_many = btf.type_by_name::<Struct<'_>>("bpf_uprobe_multi_link").is_some();
        Ok(Self { present, preemptible: preempts_programs(&release), hooks_many, release })
    }
}

/// Since 7.0 (RCU instead of disabled preemption around tracepoints). Nothing in the kernel's type
/// information tells; a release that cannot be read counts as new, which costs time but no bytes.
fn preempts_programs(release: &str) -> bool {
    let major = release.split('.').next().and_then(|major| major.parse::<u32>().ok());
    major.is_none_or(|major| major >= 7)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_preempted_since_seven() {
        for (release, preempted) in
            [("6.1.0-56-amd64", false), ("6.18.44", false), ("7.0.0-rc1", true), ("10.2", true)]
        {
            assert_eq!(preempts_programs(release), preempted, "{release}");
        }
        assert!(preempts_programs("vendor"));
    }
}
