//! Where the elements of a path end.

/// The places where a prefix of a path can end: in front of each slash, and at the end of the path. Bit `n` stands for
/// the place behind `n` bytes; only the first [`Borders::MAX`] bytes are looked at.
///
/// A host knows in the same way how long its paths are, so that the prefixes worth a comparison are the common bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Borders(pub(crate) u64);

/// A path and its borders.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MarkedPath<'p> {
    pub(crate) text: &'p str,
    pub(crate) borders: Borders,
}

impl Borders {
    /// The longest prefix that has a bit.
    pub(crate) const MAX: usize = 62;

    pub(crate) fn of(path: &str) -> Self {
        let mut marks = 0;
        for (number, chunk) in path.as_bytes()[..path.len().min(Self::MAX + 1)].chunks(8).enumerate() {
            let mut bytes = [0; 8];
            bytes[..chunk.len()].copy_from_slice(chunk);
            marks |= slashes(u64::from_le_bytes(bytes)) << (8 * number);
        }
        if path.len() <= Self::MAX {
            marks |= 1 << path.len();
        }
        Self(marks)
    }

    /// Whether there is one behind `len` bytes.
    #[inline]
    pub(crate) fn has(self, len: usize) -> bool {
        len <= Self::MAX && self.0 >> len & 1 == 1
    }
}

/// As lengths of entries.
impl Borders {
    #[inline]
    pub(crate) fn count(self) -> usize {
        self.0.count_ones() as usize
    }

    #[inline]
    pub(crate) fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// How many are longer than `len`, which is at most [`Borders::MAX`].
    #[inline]
    pub(crate) fn longer_than(self, len: usize) -> usize {
        (self.0 >> len >> 1).count_ones() as usize
    }

    #[inline]
    pub(crate) fn take_longest(&mut self) -> Option<usize> {
        let len = self.0.checked_ilog2()? as usize;
        self.0 ^= 1 << len;
        Some(len)
    }

    pub(crate) fn longest_first(mut self) -> impl Iterator<Item = usize> {
        std::iter::from_fn(move || self.take_longest())
    }
}

impl<'p> MarkedPath<'p> {
    pub(crate) fn new(text: &'p str) -> Self {
        Self { text, borders: Borders::of(text) }
    }
}

/// Bit `n` for each byte `n` of eight that is a slash: bytes that are zero after the exclusive or are found without a
/// carry from one into the next, and their high bits are gathered by a multiplication.
#[inline]
fn slashes(eight: u64) -> u64 {
    const LOW: u64 = 0x7f7f_7f7f_7f7f_7f7f;
    let other = eight ^ u64::from_le_bytes([b'/'; 8]);
    let zero = !(((other & LOW) + LOW) | other | LOW);
    (zero >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn borders_are_slashes_and_the_end(path in "/[/a.\u{e9}]{0,80}") {
            let borders = Borders::of(&path);
            for at in 0..80 {
                let is_border = at == path.len() || path.as_bytes().get(at) == Some(&b'/');
                prop_assert_eq!(borders.has(at), is_border && at <= Borders::MAX, "{} in {:?}", at, path);
            }
            prop_assert_eq!(borders.0 >> 63, 0);
        }
    }
}
