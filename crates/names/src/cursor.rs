//! Reading big-endian numbers and counted bytes from the front of a slice.

/// What is left to read. Every read is `None` if there is not enough, and then takes nothing.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Bytes that are left.
    pub(crate) fn left(&self) -> &'a [u8] {
        self.0
    }

    pub(crate) fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*taken)
    }

    pub(crate) fn u8(&mut self) -> Option<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub(crate) fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_be_bytes)
    }

    pub(crate) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    /// Bytes behind a length of one byte.
    pub(crate) fn counted_u8(&mut self) -> Option<&'a [u8]> {
        let mut ahead = *self;
        let length = ahead.u8()?;
        let taken = ahead.take(length.into())?;
        *self = ahead;
        Some(taken)
    }

    /// Bytes behind a length of two bytes.
    pub(crate) fn counted_u16(&mut self) -> Option<&'a [u8]> {
        let mut ahead = *self;
        let length = ahead.u16()?;
        let taken = ahead.take(length.into())?;
        *self = ahead;
        Some(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_short_takes_nothing() {
        let mut cursor = Cursor::new(&[0, 3, 1, 2]);
        assert_eq!(cursor.counted_u16(), None);
        assert_eq!(cursor.u32(), Some(0x0003_0102));
        assert_eq!(cursor.u8(), None);
        assert!(cursor.is_empty());
        let mut cursor = Cursor::new(&[1, 9, 0]);
        assert_eq!(cursor.counted_u8(), Some(&[9][..]));
        assert_eq!(cursor.counted_u8(), Some(&[][..]));
        assert_eq!(cursor.left(), &[] as &[u8]);
    }
}
