//! The text files of dpkg, line by line.

/// What a paragraph of `status` says of a package.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fields<'a> {
    pub(super) package: Option<&'a [u8]>,
    pub(super) version: Option<&'a [u8]>,
    pub(super) architecture: Option<&'a [u8]>,
    status: Option<&'a [u8]>,
}

impl Fields<'_> {
    /// Its files are there: it is not merely remembered for its configuration.
    fn is_unpacked(&self) -> bool {
        let state = self.status.and_then(|status| status.rsplit(|&byte| byte == b' ').next());
        !matches!(state, Some(b"config-files" | b"not-installed"))
    }
}

/// The paths of a `.list`. A directory comes right before what is in it, and is left out then.
pub(super) fn files(list: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut lines = lines(list).peekable();
    std::iter::from_fn(move || {
        loop {
            let line = lines.next()?;
            let below = lines.peek().and_then(|next| next.strip_prefix(line));
            if line != b"/." && below.is_none_or(|below| below.first() != Some(&b'/')) {
                return Some(line);
            }
        }
    })
}

/// Digest (hexadecimal digits, not checked) and path (without its first slash) of each line of an
/// `.md5sums`.
pub(super) fn sums(file: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    lines(file).filter_map(|line| {
        let (digits, rest) = line.split_at_checked(32)?;
        // md5sum(1) has a space, and a space or an asterisk.
        let path = rest.strip_prefix(b"  ").or(rest.strip_prefix(b" *"))?;
        (!path.is_empty()).then_some((digits, path))
    })
}

/// Name and architecture of `libc6:amd64`; most have no architecture.
pub(super) fn split_stem(stem: &[u8]) -> (&[u8], Option<&[u8]>) {
    match stem.iter().position(|&byte| byte == b':') {
        Some(colon) => (
            stem.get(..colon).unwrap_or_default(),
            stem.get(colon + 1..).filter(|architecture| !architecture.is_empty()),
        ),
        None => (stem, None),
    }
}

/// The paragraph of a package; without an architecture that of any that is unpacked.
pub(super) fn paragraph<'a>(
    status: &'a [u8],
    name: &[u8],
    architecture: Option<&[u8]>,
) -> Option<Fields<'a>> {
    let mut fallback = None;
    let mut rest = status;
    while !rest.is_empty() {
        let end = rest.windows(2).position(|pair| pair == b"\n\n").map_or(rest.len(), |at| at + 2);
        let (part, after) = rest.split_at_checked(end)?;
        rest = after;
        // Most paragraphs begin with the name, and are passed over without a look at the rest.
        let other = part.strip_prefix(b"Package: ").is_some_and(|text| !text.starts_with(name));
        if other {
            continue;
        }
        let Some(found) = fields(part).filter(|found| found.package == Some(name)) else {
            continue;
        };
        if architecture.is_none_or(|wanted| found.architecture == Some(wanted)) {
            if found.is_unpacked() {
                return Some(found);
            }
            fallback = Some(found);
        }
    }
    fallback
}

/// The fields of one paragraph; of several of a name the first.
pub(super) fn fields(paragraph: &[u8]) -> Option<Fields<'_>> {
    let mut found = Fields::default();
    for line in lines(paragraph) {
        let Some(colon) = line.iter().position(|&byte| byte == b':') else { continue };
        let (name, value) = line.split_at_checked(colon)?;
        let value = value.strip_prefix(b":").unwrap_or_default().trim_ascii();
        let field = match name {
            b"Package" => &mut found.package,
            b"Version" => &mut found.version,
            b"Architecture" => &mut found.architecture,
            b"Status" => &mut found.status,
            _ => continue,
        };
        field.get_or_insert(value);
    }
    found.package.is_some().then_some(found)
}

fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|&byte| byte == b'\n').filter(|line| !line.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const STATUS: &[u8] = b"Package: curlew\nStatus: install ok installed\nVersion: 9\n\n\
        Package: curl\nStatus: deinstall ok config-files\nArchitecture: i386\nVersion: 6\n\n\
        Package: curl\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1:7-2\n\
        Description: a tool\n Version: 13\n\n\
        Version: 5\nPackage: late\nArchitecture: all\nStatus: install ok unpacked\n";

    #[test]
    fn paragraphs_are_told_apart() {
        let version = |name: &str, architecture: Option<&str>| {
            let found = paragraph(STATUS, name.as_bytes(), architecture.map(str::as_bytes))?;
            Some(String::from_utf8(found.version?.to_vec()).unwrap())
        };
        assert_eq!(version("curl", None).as_deref(), Some("1:7-2"));
        assert_eq!(version("curl", Some("i386")).as_deref(), Some("6"));
        assert_eq!(version("curl", Some("arm64")), None);
        assert_eq!(version("curlew", None).as_deref(), Some("9"));
        assert_eq!(version("late", Some("all")).as_deref(), Some("5"));
        assert_eq!((version("cur", None), version("", None)), (None, None));
    }

    #[test]
    fn lists_lose_their_directories() {
        let list = b"/.\n/usr\n/usr/bin\n/usr/bin/a\n/usr/bin/ab\n\n/usr/lib/x\xff\x1b[31m\n/end";
        let found: Vec<&[u8]> = files(list).collect();
        let want: [&[u8]; 4] = [b"/usr/bin/a", b"/usr/bin/ab", b"/usr/lib/x\xff\x1b[31m", b"/end"];
        assert_eq!(found, want);
        let long = [b"/".as_slice(), &[b'x'; 4095], b"\n"].concat();
        assert_eq!(files(&long).next().map(<[u8]>::len), Some(4096));
    }

    #[test]
    fn sums_are_read_in_either_style() {
        let digits = [b'a'; 32];
        let file =
            [&digits, b"  usr/bin/a b\n".as_slice(), &digits, b" *x\n", &digits, b"\nabc  x\n"]
                .concat();
        let found: Vec<_> = sums(&file).collect();
        assert_eq!(found, [(&digits[..], &b"usr/bin/a b"[..]), (&digits, b"x")]);
    }

    #[test]
    fn stems_are_split_once() {
        assert_eq!(split_stem(b"libc6:amd64"), (&b"libc6"[..], Some(&b"amd64"[..])));
        assert_eq!(split_stem(b"curl"), (&b"curl"[..], None));
        assert_eq!(split_stem(b"a:"), (&b"a"[..], None));
        assert_eq!(split_stem(b":b:c"), (&b""[..], Some(&b"b:c"[..])));
    }

    proptest! {
        #[test]
        fn anything_is_survived(text: Vec<u8>, name: Vec<u8>, cut: prop::sample::Index) {
            files(&text).count();
            sums(&text).count();
            split_stem(&text);
            fields(&text);
            paragraph(&text, &name, None);
            let end = cut.index(STATUS.len());
            paragraph(&STATUS[..end], b"curl", None);
        }
    }
}
