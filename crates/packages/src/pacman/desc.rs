//! `desc` and `files`: sections that begin with `%NAME%` and end with an empty line.

/// The lines of a section.
pub(super) fn values<'a>(text: &'a [u8], section: &[u8]) -> impl Iterator<Item = &'a [u8]> {
    let mut lines = text.split(|&byte| byte == b'\n');
    // Consumed up to and with the section's name.
    let found = lines.any(|line| line == section);
    lines.take_while(move |line| found && !line.is_empty())
}

/// Paths of files, without their first slash; directories, which end with one, left out.
pub(super) fn files(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    values(text, b"%FILES%").filter(|path| !path.ends_with(b"/"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn sections_are_told_apart() {
        let desc = b"%NAME%\ncurl\n\n%VERSION%\n8.9.1-1\n\n%EMPTY%\n\n%ARCH%\nx86_64";
        let first = |name: &[u8]| values(desc, name).next();
        assert_eq!(first(b"%NAME%"), Some(&b"curl"[..]));
        assert_eq!(first(b"%VERSION%"), Some(&b"8.9.1-1"[..]));
        assert_eq!(first(b"%ARCH%"), Some(&b"x86_64"[..]));
        assert_eq!((first(b"%EMPTY%"), first(b"%NONE%")), (None, None));
        let list = b"%FILES%\nusr/\nusr/bin/\nusr/bin/a\xff\x1b[0m\n\n%BACKUP%\netc/a\tdigest\n";
        assert_eq!(files(list).collect::<Vec<_>>(), [b"usr/bin/a\xff\x1b[0m"]);
    }

    proptest! {
        #[test]
        fn anything_is_survived(text: Vec<u8>, section: Vec<u8>) {
            prop_assert!(values(&text, &section).count() <= text.len() + 1);
            files(&text).count();
        }
    }
}
