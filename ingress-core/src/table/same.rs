//! Whether two short texts are the same.

/// As `==`, for names and paths: mostly shorter than what the call of a comparison function pays off for, and of many
/// lengths, so that there is one branch for a class of lengths. Both ends are compared, which meet or overlap.
#[inline]
pub(super) fn same(a: &[u8], b: &[u8]) -> bool {
    let len = a.len();
    if len != b.len() {
        return false;
    }
    match len {
        0..4 => a.iter().zip(b).all(|(a, b)| a == b),
        4..8 => same_ends::<4>(a, b),
        8..16 => same_ends::<8>(a, b),
        16..=32 => same_ends::<16>(a, b),
        _ => same_ends::<16>(a, b) && a[16..len - 16] == b[16..len - 16],
    }
}

#[inline]
fn same_ends<const N: usize>(a: &[u8], b: &[u8]) -> bool {
    (a.first_chunk::<N>() == b.first_chunk::<N>()) & (a.last_chunk::<N>() == b.last_chunk::<N>())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::same;

    proptest! {
        #[test]
        fn as_equal(a in "[ab]{0,50}", b in "[ab]{0,50}", at in 0usize..50) {
            let (a, b) = (a.as_bytes(), b.as_bytes());
            prop_assert_eq!(same(a, b), a == b);
            prop_assert!(same(a, &[a, b].concat()[..a.len()]));
            let mut other = a.to_vec();
            if let Some(byte) = other.get_mut(at) {
                *byte ^= 3;
                prop_assert!(!same(a, &other));
            }
        }
    }
}
