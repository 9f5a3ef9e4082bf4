//! Limits of the process.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// More descriptors than this are never needed.
const WANTED: u64 = 16_384;

/// Raises the number of descriptors that may be open as far as that is allowed and makes sense;
/// tells how many may be.
pub fn raise_descriptors() -> u64 {
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else { return 0 };
    let wanted = WANTED.min(hard).max(soft);
    if wanted > soft && setrlimit(Resource::RLIMIT_NOFILE, wanted, hard).is_ok() {
        wanted
    } else {
        soft
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_no_fewer_afterwards() {
        let (before, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
        let after = raise_descriptors();
        assert!(after >= before && after <= hard.max(before));
        assert_eq!(getrlimit(Resource::RLIMIT_NOFILE).unwrap().0, after);
        assert_eq!(raise_descriptors(), after, "once is enough");
    }
}
