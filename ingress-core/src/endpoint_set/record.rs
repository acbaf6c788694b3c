//! Choices written down, so that they can be repeated.

use std::fmt;
use std::str::FromStr;

use super::choose::{Choice, DRAWS};
use crate::balance::Draw;
use crate::{Algorithm, EndpointSet};

/// The longest text of a record.
const MAX_LEN: usize = 21;

/// What it takes to repeat a choice in the same set of endpoints, whatever is known of them by then: see
/// [`EndpointSet::record`] and [`EndpointSet::repeat`].
///
/// Its text has only what the algorithm goes by, in 21 bytes at most:
///
/// | text | the endpoint |
/// |---|---|
/// | `t2a` | whose turn it is with ticket 42 |
/// | `r9f3a6c1b2d4e5f60` | that random bits fall on |
/// | `r9f3a6c1b2d4e5f60w1` | the second of two that random bits fall on; `w0` is the first |
/// | `r9f3a6c1b2d4e5f60s3w0` | the same, after three draws of which none could be used |
/// | `kc0ffee`, `kc0ffees3` | of a request with this key; after three draws |
/// | `p2` | the third among [`EndpointSet::all`]: it was not drawn, as where a client's cookie names it |
///
/// Numbers are hexadecimal, in lower case and without leading zeros.
///
/// ```
/// use std::net::SocketAddr;
/// use ingress_core::{Algorithm, Choice, ChoiceRecord, Draw, Endpoint, EndpointSet};
///
/// let endpoint = |host| Endpoint::new(SocketAddr::from(([10, 0, 0, host], 80)));
/// let set = EndpointSet::new((1..4).map(endpoint));
/// let choice = Choice::new(Draw::at(42), None);
/// let record = set.record(&choice, set.choose(&choice)?);
/// assert_eq!(record.to_string(), "t2a");
///
/// let later: ChoiceRecord = "t2a".parse()?;
/// assert_eq!(set.repeat(&Algorithm::RoundRobin, &later), set.choose(&choice).ok());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ChoiceRecord(How);

/// A text that is no [`ChoiceRecord`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a choice is written as in t2a, r9f3a6c1b2d4e5f60, r9f3as3w0, kc0ffee or p2")]
pub struct ChoiceRecordError;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum How {
    Ticket(u64),
    Random { bits: u64, step: u32, second: Option<bool> },
    Key { key: u64, step: u32 },
    Place(usize),
}

// ===== impl ChoiceRecord =====

impl ChoiceRecord {
    /// Of an endpoint that was not drawn: its place among [`EndpointSet::all`].
    pub fn at(place: usize) -> Self {
        Self(How::Place(place))
    }

    /// What an algorithm goes by in a draw. Nothing where that is not known, or is more than the draw.
    fn of(algorithm: &Algorithm, draw: &Draw) -> Option<Self> {
        let random = |second| How::Random { bits: draw.random, step: draw.step, second };
        Some(Self(match (algorithm, draw.key) {
            (Algorithm::RoundRobin, _) if draw.step == 0 => How::Ticket(draw.ticket),
            (Algorithm::RoundRobin | Algorithm::Random, _) => random(None),
            (Algorithm::LeastRequest | Algorithm::PeakEwma, _) => random(Some(draw.second?)),
            (Algorithm::Maglev | Algorithm::Rendezvous, Some(key)) => How::Key { key, step: draw.step },
            (Algorithm::Maglev | Algorithm::Rendezvous, None) => random(None),
            (Algorithm::Custom(_), _) => return None,
        }))
    }
}

impl fmt::Display for ChoiceRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (step, second) = match self.0 {
            How::Ticket(ticket) => return write!(f, "t{ticket:x}"),
            How::Place(place) => return write!(f, "p{place:x}"),
            How::Random { bits, step, second } => {
                write!(f, "r{bits:x}")?;
                (step, second)
            }
            How::Key { key, step } => {
                write!(f, "k{key:x}")?;
                (step, None)
            }
        };
        if step > 0 {
            write!(f, "s{step:x}")?;
        }
        second.map_or(Ok(()), |second| write!(f, "w{}", u8::from(second)))
    }
}

impl FromStr for ChoiceRecord {
    type Err = ChoiceRecordError;

    fn from_str(text: &str) -> Result<Self, ChoiceRecordError> {
        parse(text).ok_or(ChoiceRecordError)
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for ChoiceRecord {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

// ===== impl EndpointSet =====

impl EndpointSet {
    /// Writes down a choice that fell on the endpoint at a place: the first draw that falls on it, or the place itself where
    /// none does, and with an algorithm of the program's own.
    pub fn record(&self, choice: &Choice<'_>, place: usize) -> ChoiceRecord {
        let algorithm = choice.algorithm();
        let seconds: &[Option<bool>] = match algorithm {
            Algorithm::LeastRequest | Algorithm::PeakEwma => &[Some(false), Some(true)],
            Algorithm::Custom(_) => &[],
            _ => &[None],
        };
        let draws = (0..DRAWS)
            .flat_map(|step| seconds.iter().map(move |&second| Draw { step, second, ..choice.draw }));
        let mut falls = draws.filter(|draw| self.drawn(algorithm, draw) == Some(place));
        let found = falls.next().and_then(|draw| ChoiceRecord::of(algorithm, &draw));
        found.unwrap_or_else(|| ChoiceRecord::at(place))
    }

    /// The endpoint that a choice fell on: its place among [`EndpointSet::all`]. Nothing where the record is of another
    /// algorithm, or of a set that has other endpoints.
    pub fn repeat(&self, algorithm: &Algorithm, record: &ChoiceRecord) -> Option<usize> {
        let nothing = Draw::default();
        let draw = match record.0 {
            How::Ticket(ticket) => Draw { ticket, ..nothing },
            How::Random { bits, step, second } => Draw { random: bits, step, second, ..nothing },
            How::Key { key, step } => Draw { key: Some(key), step, ..nothing },
            How::Place(place) => return Some(place).filter(|&place| place < self.endpoints.len()),
        };
        let fits = ChoiceRecord::of(algorithm, &draw) == Some(*record);
        fits.then(|| self.drawn(algorithm, &draw)).flatten()
    }
}

// ===== helpers =====

fn parse(text: &str) -> Option<ChoiceRecord> {
    if text.len() > MAX_LEN {
        return None;
    }
    let mut rest = text;
    let how = if let Some(ticket) = tagged(&mut rest, 't') {
        How::Ticket(ticket?)
    } else if let Some(place) = tagged(&mut rest, 'p') {
        How::Place(usize::try_from(place?).ok()?)
    } else if let Some(key) = tagged(&mut rest, 'k') {
        How::Key { key: key?, step: step(&mut rest)? }
    } else {
        let bits = tagged(&mut rest, 'r')??;
        let step = step(&mut rest)?;
        let second = match tagged(&mut rest, 'w') {
            None => None,
            Some(Some(0)) => Some(false),
            Some(Some(1)) => Some(true),
            Some(_) => return None,
        };
        How::Random { bits, step, second }
    };
    rest.is_empty().then_some(ChoiceRecord(how))
}

/// The number behind a letter, if the text goes on with that letter; nothing within for a text that is no number.
fn tagged(rest: &mut &str, tag: char) -> Option<Option<u64>> {
    let behind = rest.strip_prefix(tag)?;
    let is_digit = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    let (digits, after) = behind.split_at(behind.bytes().take_while(|byte| is_digit(byte)).count());
    *rest = after;
    let shortest = digits == "0" || !digits.starts_with('0');
    Some(u64::from_str_radix(digits, 16).ok().filter(|_| shortest))
}

/// How many draws could not be used; none where nothing is said of it.
fn step(rest: &mut &str) -> Option<u32> {
    match tagged(rest, 's') {
        None => Some(0),
        Some(step) => u32::try_from(step?).ok().filter(|step| (1..DRAWS).contains(step)),
    }
}
