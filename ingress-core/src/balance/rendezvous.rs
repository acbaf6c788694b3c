//! Consistent hashing by score.

use super::draw::{Draw, fraction, hash_key, mix};
use super::{Balance, Members};

/// Weighted rendezvous hashing (Thaler and Ravishankar 1998; weights by Schindelhauer and Schomaker 2005): for each key all
/// members have a score, and the highest wins. A member that goes moves its own keys only; a choice looks at all.
#[derive(Clone, Debug)]
pub(crate) struct Rendezvous {
    members: Box<[Member]>,
    /// All have the same weight, so that their hashes can be compared as they are.
    even: bool,
}

#[derive(Clone, Copy, Debug)]
struct Member {
    hash: u64,
    weight: u32,
}

impl Rendezvous {
    /// Members by name and weight.
    pub(crate) fn new<'n>(members: impl Iterator<Item = (&'n str, u32)>) -> Self {
        let member = |(name, weight): (&str, u32)| Member { hash: hash_key(name.as_bytes()), weight };
        let members: Box<[Member]> = members.map(member).collect();
        let even = members.iter().all(|member| member.weight == members[0].weight && member.weight > 0);
        Self { members, even }
    }

    #[inline]
    pub(crate) fn at(&self, key: u64) -> Option<usize> {
        let members = self.members.iter().enumerate();
        let hash = |member: &Member| mix(key ^ member.hash);
        if self.even {
            return members.max_by_key(|(_, member)| hash(member)).map(|(at, _)| at);
        }
        // -weight / ln(hash), with the hash from 0 to 1: the exponential races of the weights.
        let mut best = (None, 0.0);
        for (at, member) in members.filter(|(_, member)| member.weight > 0) {
            let (hash, weight) = (fraction(hash(member) | 1 << 11), f64::from(member.weight));
            // -ln(x) is at least 1 - x, which spares most of the logarithms.
            if weight >= best.1 * (1.0 - hash) {
                let score = -weight / hash.ln();
                if score > best.1 {
                    best = (Some(at), score);
                }
            }
        }
        best.0
    }
}

impl Balance for Rendezvous {
    #[inline]
    fn pick(&self, _: Members<'_>, draw: &Draw) -> Option<usize> {
        self.at(draw.hash())
    }
}
