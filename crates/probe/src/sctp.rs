//! Where SCTP's module keeps what is wanted of it. Its types are not in the kernel's own BTF, and it
//! may be loaded later than our programs; so they find things by offsets that are looked up here.

use std::ffi::CStr;
use std::io;
use std::ptr::NonNull;

use libbpf_rs::libbpf_sys::{
    BTF_KIND_STRUCT, btf, btf__find_by_name_kind, btf__free, btf__load_module_btf,
    btf__load_vmlinux_btf, btf__name_by_offset, btf__type_by_id, btf_member, btf_type,
};

use crate::skel::types::fs_sctp_at as At;

/// How many offsets there are.
pub(crate) const OFFSETS: usize = At::FS_SCTP_MAX.0 as usize;

/// The module, as it is named in /sys/kernel/btf.
const MODULE: &CStr = c"sctp";
const SOCK: &CStr = c"sctp_sock";
const ENDPOINT: &CStr = c"sctp_endpoint";
const ASSOCIATION: &CStr = c"sctp_association";
const STATS: &CStr = c"sctp_priv_assoc_stats";

/// A member of a structure, for each offset: the names that lead to it.
const MEMBERS: [(At, &CStr, &[&str]); OFFSETS] = [
    (At::FS_SCTP_EP, SOCK, &["ep"]),
    (At::FS_SCTP_EP_LIST, ENDPOINT, &["asocs"]),
    (At::FS_SCTP_LIST, ASSOCIATION, &["asocs"]),
    (At::FS_SCTP_PRIMARY, ASSOCIATION, &["peer", "primary_addr"]),
    (At::FS_SCTP_STATS, ASSOCIATION, &["stats"]),
    (At::FS_SCTP_PACKETS_OUT, STATS, &["opackets"]),
    (At::FS_SCTP_PACKETS_IN, STATS, &["ipackets"]),
    (At::FS_SCTP_ORDERED_OUT, STATS, &["oodchunks"]),
    (At::FS_SCTP_ORDERED_IN, STATS, &["iodchunks"]),
    (At::FS_SCTP_UNORDERED_OUT, STATS, &["ouodchunks"]),
    (At::FS_SCTP_UNORDERED_IN, STATS, &["iuodchunks"]),
    (At::FS_SCTP_AGAIN_OUT, STATS, &["rtxchunks"]),
    (At::FS_SCTP_AGAIN_IN, STATS, &["idupchunks"]),
    (At::FS_SCTP_ACKS_OUT, STATS, &["osacks"]),
    (At::FS_SCTP_ACKS_IN, STATS, &["isacks"]),
    (At::FS_SCTP_OTHERS_OUT, STATS, &["octrlchunks"]),
    (At::FS_SCTP_OTHERS_IN, STATS, &["ictrlchunks"]),
];

/// Offsets in bytes, by [`At`].
///
/// # Errors
/// If the kernel tells no types of the module, or one that is wanted is not among them.
pub(crate) fn offsets() -> io::Result<[u32; OFFSETS]> {
    let kernel = Btf::of_kernel()?;
    let module = Btf::of_module(&kernel, MODULE)?;
    let mut offsets = [0; OFFSETS];
    for (at, structure, path) in MEMBERS {
        let found = module.offset(structure, path).ok_or_else(|| {
            let structure = structure.to_string_lossy();
            io::Error::other(format!("no {structure}.{} in the module's BTF", path.join(".")))
        })?;
        if let Some(place) = offsets.get_mut(at.0 as usize) {
            *place = found;
        }
    }
    Ok(offsets)
}

/// Type information. That of a module must go before that of the kernel, on which it rests.
struct Btf(NonNull<btf>);

impl Btf {
    fn of_kernel() -> io::Result<Self> {
        // SAFETY: no arguments; what is returned is ours to free.
        Self::owned(unsafe { btf__load_vmlinux_btf() })
    }

    fn of_module(kernel: &Self, name: &CStr) -> io::Result<Self> {
        // SAFETY: a string that ends and type information that lives, both for longer than the call;
        // offsets() drops the result first.
        Self::owned(unsafe { btf__load_module_btf(name.as_ptr(), kernel.0.as_ptr()) })
    }

    /// libbpf returns null, and errno says why.
    fn owned(raw: *mut btf) -> io::Result<Self> {
        NonNull::new(raw).map(Self).ok_or_else(io::Error::last_os_error)
    }

    /// Where a member is that is no bit field.
    fn offset(&self, structure: &CStr, path: &[&str]) -> Option<u32> {
        let (raw, name) = (self.0.as_ptr(), structure.as_ptr());
        // SAFETY: type information that lives and a string that ends.
        let id = unsafe { btf__find_by_name_kind(raw, name, BTF_KIND_STRUCT) };
        let mut within = u32::try_from(id).ok()?;
        let mut bits = 0;
        for name in path {
            let member = self.members(within)?.iter().find(|m| self.is_named(m.name_off, name))?;
            // The upper byte is the size of a bit field where a structure has such.
            bits += member.offset & 0x00ff_ffff;
            within = member.type_;
        }
        bits.is_multiple_of(8).then_some(bits / 8)
    }

    fn members(&self, id: u32) -> Option<&[btf_member]> {
        // SAFETY: type information that lives; null for an id that there is not.
        let found: &btf_type = unsafe { btf__type_by_id(self.0.as_ptr(), id).as_ref() }?;
        let (kind, members) = (found.info >> 24 & 0x1f, found.info & 0xffff);
        if kind != BTF_KIND_STRUCT {
            return None;
        }
        let first = std::ptr::from_ref(found).wrapping_add(1).cast::<btf_member>();
        // SAFETY: libbpf has checked that this many members follow the type that it returned; they
        // live as long as self.
        Some(unsafe { std::slice::from_raw_parts(first, members as usize) })
    }

    fn is_named(&self, offset: u32, name: &str) -> bool {
        // SAFETY: type information that lives; null for an offset outside its strings.
        let found = unsafe { btf__name_by_offset(self.0.as_ptr(), offset) };
        // SAFETY: not null, and it ends: strings of type information do.
        !found.is_null() && unsafe { CStr::from_ptr(found) }.to_bytes() == name.as_bytes()
    }
}

impl Drop for Btf {
    fn drop(&mut self) {
        // SAFETY: ours, and nothing refers to it any more.
        unsafe { btf__free(self.0.as_ptr()) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_offset_has_its_member() {
        for (number, (at, ..)) in MEMBERS.iter().enumerate() {
            assert_eq!(at.0 as usize, number);
        }
    }

    /// The kernel itself has such structures too.
    #[test]
    fn members_are_found_by_name() {
        let Ok(kernel) = Btf::of_kernel() else { return };
        assert_eq!(kernel.offset(c"list_head", &["prev"]), Some(8));
        assert!(kernel.offset(c"sock", &["__sk_common", "skc_family"]).is_some_and(|at| at < 64));
        assert_eq!(kernel.offset(c"list_head", &["no"]), None);
        assert_eq!(kernel.offset(c"no_such_structure", &["no"]), None);
        assert!(Btf::of_module(&kernel, c"no such module").is_err());
    }
}
