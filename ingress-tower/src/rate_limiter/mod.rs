//! How many requests of each client are let in, in a bounded amount of memory.
//!
//! [`RateLimiter`] decides by the generic cell rate algorithm (GCRA) of the crate `governor`, which keeps one moment of
//! each key: when it has its whole burst again. The table of these moments is this crate's own, since those of `governor`
//! grow with the number of keys.
//!
//! # What is bounded, and what that costs
//!
//! - A key is a 64-bit hash with a secret seed. Two keys that have one hash count together; with a full table that happens
//!   to one new key in 70 million million, and nobody can look for it.
//! - A limiter has at most 262,144 keys (4 MiB), each in one of eight places that its hash says. It begins with a few, and
//!   grows only where all eight places are taken by keys that do not have their whole burst yet.
//! - Where it may not grow any more, the key is forgotten that has its whole burst again soonest, which is the one that has
//!   asked for least beyond its rate. It begins anew with its whole burst: to be forgotten never refuses anybody anything.
//!
//! Somebody with ten million addresses can send what ten million clients may send, as with any limit by address. While
//! that goes on, others that are barely over their rates may be forgotten and let in; those that are well over theirs stay
//! limited as long as the addresses ask for less each than they did. It cannot get anybody refused, and cannot make the
//! table larger.

mod limiter;
mod store;

pub use limiter::{Allowed, RateLimiter, Refused};
pub(crate) use store::Room;
