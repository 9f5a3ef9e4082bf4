//! The arguments of a process, apart.

/// More than any option parser here looks at: behind so many options comes no script.
const WORDS: usize = 1024;

/// Arguments, the program's own name first; at most 1,024.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Argv<'a> {
    /// Whole ones only.
    pub args: Vec<&'a [u8]>,
    /// There were more, or the last was longer.
    pub cut: bool,
}

/// Takes apart what `/proc/PID/cmdline` holds: arguments, each ended by NUL. `cut` says that the
/// bytes are not all of it; then an argument without its NUL at the end is dropped. (What a
/// process has written over its arguments may lack the NUL and still be all.)
#[must_use]
pub fn split(bytes: &[u8], cut: bool) -> Argv<'_> {
    let whole = bytes.strip_suffix(&[0]);
    if bytes.is_empty() {
        return Argv { args: Vec::new(), cut };
    }
    let mut args: Vec<&[u8]> =
        whole.unwrap_or(bytes).split(|byte| *byte == 0).take(WORDS + 1).collect();
    if whole.is_none() && cut && args.len() <= WORDS {
        args.pop();
    }
    let more = args.len() > WORDS;
    args.truncate(WORDS);
    Argv { args, cut: cut || more }
}

impl<'a> Argv<'a> {
    pub(super) fn words(&self) -> impl Iterator<Item = &'a [u8]> + use<'_, 'a> {
        self.args.iter().copied().take(WORDS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_taken_apart() {
        type Case = (&'static [u8], bool, &'static [&'static [u8]], bool);
        let cases: [Case; 8] = [
            (b"sh\0-c\0x y\0", false, &[b"sh", b"-c", b"x y"], false),
            (b"sh\0\0x\0", false, &[b"sh", b"", b"x"], false),
            (b"sh\0x", false, &[b"sh", b"x"], false),
            (b"sh\0x", true, &[b"sh"], true),
            (b"sh\0x\0", true, &[b"sh", b"x"], true),
            (b"", false, &[], false),
            (b"\0", false, &[b""], false),
            (b"s", true, &[], true),
        ];
        for (bytes, cut, args, still_cut) in cases {
            let argv = split(bytes, cut);
            assert_eq!((argv.args.as_slice(), argv.cut), (args, still_cut), "{bytes:?}");
        }
        let many = split(&[0; 5000], false);
        assert!(many.args.len() == WORDS && many.cut);
    }
}
