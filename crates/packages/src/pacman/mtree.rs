//! `mtree`: compressed lines with what each file of a package should be, as mtree(5) has them.

use std::io::Read as _;

use flate2::read::MultiGzDecoder;

use crate::answer::{Manager, Reason};
use crate::digest::{Digest, Kind};

/// Larger than the text of any package's files; a bomb is cut off here.
const MAX_TEXT: u64 = 64 << 20;

/// The text; `None` if it is damaged or too long. Not compressed is fine, too.
pub(super) fn unpack(bytes: &[u8]) -> Option<Vec<u8>> {
    if !bytes.starts_with(&[0x1f, 0x8b]) {
        return Some(bytes.to_vec());
    }
    let mut text = Vec::new();
    let mut decoder = MultiGzDecoder::new(bytes).take(MAX_TEXT + 1);
    decoder.read_to_end(&mut text).ok()?;
    u64::try_from(text.len()).is_ok_and(|len| len <= MAX_TEXT).then_some(text)
}

/// The digest of the file that is meant.
///
/// # Errors
/// Why there is none.
pub(super) fn digest(text: &[u8], is_meant: impl Fn(&[u8]) -> bool) -> Result<Digest, Reason> {
    let lines = text.split(|&byte| byte == b'\n');
    for line in lines.filter(|line| !line.starts_with(b"#") && !line.starts_with(b"/")) {
        let mut words = line.split(|&byte| byte == b' ');
        let Some(name) = words.next().filter(|name| !name.is_empty()) else { continue };
        if is_meant(&unescape(name)) {
            return best(words);
        }
    }
    Err(Reason::NotRecorded)
}

/// The strongest digest among a line's keywords.
fn best<'a>(words: impl Iterator<Item = &'a [u8]>) -> Result<Digest, Reason> {
    const KEYWORDS: [(&[u8], Kind); 4] = [
        (b"sha256digest=", Kind::Sha256),
        (b"sha256=", Kind::Sha256),
        (b"md5digest=", Kind::Md5),
        (b"md5=", Kind::Md5),
    ];
    let words: Vec<&[u8]> = words.collect();
    for (keyword, kind) in KEYWORDS {
        if let Some(digits) = words.iter().find_map(|word| word.strip_prefix(keyword)) {
            return Digest::from_hex(kind, digits).ok_or(Reason::Damaged(Manager::Pacman));
        }
    }
    Err(Reason::NotRecorded)
}

/// Undoes the escapes of vis(3): a backslash and three octal digits.
fn unescape(name: &[u8]) -> Vec<u8> {
    let octal = |digits: &[u8]| {
        let text = std::str::from_utf8(digits.get(..3)?).ok()?;
        let digits_only = text.bytes().all(|digit| digit.is_ascii_digit());
        if digits_only { u8::from_str_radix(text, 8).ok() } else { None }
    };
    let mut out = Vec::with_capacity(name.len());
    let mut rest = name;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte == b'\\'
            && let Some(meant) = octal(after)
        {
            out.push(meant);
            rest = after.get(3..).unwrap_or_default();
        } else {
            out.push(byte);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io::Write as _;

    const SHA: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    const MD5: &str = "900150983cd24fb0d6963f7d28e17f72";

    fn text() -> String {
        format!(
            "#mtree\n/set type=file uid=0 gid=0 mode=644\n./.PKGINFO time=1.0 size=3\n\
             ./usr time=1.0 mode=755 type=dir\n\
             ./usr/bin/a time=1.0 mode=755 size=3 md5digest={MD5} sha256digest={SHA}\n\
             ./usr/bin/old md5digest={MD5}\n./usr/bin/a\\040b\\134\\303\\244 sha256digest={SHA}\n\
             ./usr/bin/cut sha256digest=ba78\n./usr/bin/link type=link link=a\n"
        )
    }

    fn pack(text: &[u8]) -> Vec<u8> {
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        packer.write_all(text).unwrap();
        packer.finish().unwrap()
    }

    #[test]
    fn digests_are_found() {
        let plain = unpack(&pack(text().as_bytes())).unwrap();
        let of = |path: &str| {
            let path = format!("./{path}");
            digest(&plain, |name| name == path.as_bytes())
        };
        let sha = Digest::from_hex(Kind::Sha256, SHA.as_bytes()).unwrap();
        assert_eq!(of("usr/bin/a"), Ok(sha.clone()));
        assert_eq!(of("usr/bin/old").unwrap().kind, Kind::Md5);
        assert_eq!(of("usr/bin/a b\\ä"), Ok(sha));
        assert_eq!(of("usr/bin/cut"), Err(Reason::Damaged(Manager::Pacman)));
        assert_eq!(of("usr/bin/link"), Err(Reason::NotRecorded));
        assert_eq!(of("usr/bin/none"), Err(Reason::NotRecorded));
    }

    #[test]
    fn bombs_and_stumps_are_refused() {
        let bomb = pack(&vec![0; usize::try_from(MAX_TEXT).unwrap() + 1]);
        assert!(bomb.len() < 100_000);
        assert_eq!(unpack(&bomb), None);
        let whole = pack(text().as_bytes());
        for end in 2..whole.len() {
            assert_eq!(unpack(&whole[..end]), None, "cut at {end}");
        }
    }

    proptest! {
        #[test]
        fn anything_is_survived(bytes: Vec<u8>) {
            unpack(&bytes);
            unpack(&[&[0x1f, 0x8b, 8, 0], bytes.as_slice()].concat());
            digest(&bytes, |name| name.len() > 3).ok();
            digest(&bytes, |_| true).ok();
        }

        #[test]
        fn escapes_only_shorten(name: Vec<u8>) {
            prop_assert!(unescape(&name).len() <= name.len());
        }
    }
}
