//! What a service said of requests, for as long as that holds.

use std::collections::hash_map::RandomState;
use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, Hash};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};
use tokio::time::Instant;

/// Parts that are locked apart from each other. A power of two.
const PARTS: usize = 16;
/// Verdicts of one part.
const MAX_VERDICTS: usize = 1024;
/// Bytes that one part's verdicts take.
const MAX_BYTES: usize = 512 * 1024;
/// A verdict with more than that is not remembered.
const MAX_BYTES_OF_ONE: usize = 8 * 1024;

/// Requests that may pass, by a keyed hash of all that the service was shown of them: what clients sent cannot be read from
/// it, and none can make another's.
#[derive(Debug, Default)]
pub(crate) struct Verdicts {
    keys: [RandomState; 2],
    parts: [Mutex<Part>; PARTS],
}

/// Stands for a question.
pub(super) type Key = [u64; 2];

#[derive(Debug, Default)]
struct Part {
    verdicts: HashMap<Key, Verdict>,
    /// In the order in which they came.
    order: VecDeque<Key>,
    bytes: usize,
}

#[derive(Debug)]
struct Verdict {
    until: Instant,
    /// What the request is given. The bytes are its own: those of an answer are parts of a larger one, all of which they hold.
    fields: Box<[Field]>,
    bytes: usize,
}

type Field = (HeaderName, HeaderValue);

impl Verdicts {
    pub(super) fn key(&self, question: &impl Hash) -> Key {
        self.keys.each_ref().map(|key| key.hash_one(question))
    }

    /// The fields for a request that may pass.
    pub(super) fn get(&self, key: Key) -> Option<HeaderMap> {
        let part = self.part(key)?.lock().unwrap_or_else(PoisonError::into_inner);
        let verdict = part.verdicts.get(&key).filter(|verdict| Instant::now() < verdict.until)?;
        let mut fields = HeaderMap::with_capacity(verdict.fields.len());
        for (name, value) in &verdict.fields {
            fields.append(name, value.clone());
        }
        Some(fields)
    }

    /// Remembers that a request may pass, with these fields.
    pub(super) fn insert(&self, key: Key, fields: &HeaderMap, time: Duration) {
        let len = |(name, value): (&HeaderName, &HeaderValue)| name.as_str().len() + value.len();
        let bytes = fields.iter().map(|field| size_of::<Field>() + len(field)).sum::<usize>();
        let bytes = size_of::<(Key, Verdict)>() + size_of::<Key>() + bytes;
        let Some(until) = Instant::now().checked_add(time) else { return };
        if bytes > MAX_BYTES_OF_ONE {
            return;
        }
        let (Some(part), Some(fields)) = (self.part(key), fields.iter().map(copy).collect()) else { return };
        let mut part = part.lock().unwrap_or_else(PoisonError::into_inner);
        part.insert(key, Verdict { until, fields, bytes });
    }

    fn part(&self, key: Key) -> Option<&Mutex<Part>> {
        self.parts.get(usize::try_from(key[0] % PARTS as u64).ok()?)
    }
}

/// The same field, in bytes of its own.
fn copy((name, value): (&HeaderName, &HeaderValue)) -> Option<Field> {
    let name = HeaderName::from_bytes(name.as_str().as_bytes()).ok()?;
    let mut own = HeaderValue::from_bytes(value.as_bytes()).ok()?;
    own.set_sensitive(value.is_sensitive());
    Some((name, own))
}

impl Part {
    fn insert(&mut self, key: Key, verdict: Verdict) {
        self.bytes += verdict.bytes;
        match self.verdicts.insert(key, verdict) {
            Some(before) => self.bytes -= before.bytes,
            None => self.order.push_back(key),
        }
        while self.verdicts.len() > MAX_VERDICTS || self.bytes > MAX_BYTES {
            let Some(oldest) = self.order.pop_front() else { return };
            if let Some(verdict) = self.verdicts.remove(&oldest) {
                self.bytes -= verdict.bytes;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(value: &str) -> HeaderMap {
        HeaderMap::from_iter([(http::header::FROM, value.parse().unwrap())])
    }

    #[tokio::test(start_paused = true)]
    async fn verdicts_hold_for_their_time() {
        let verdicts = Verdicts::default();
        let (key, other) = (verdicts.key(&"a"), verdicts.key(&"b"));
        verdicts.insert(key, &fields("a"), Duration::from_secs(10));
        tokio::time::advance(Duration::from_millis(9_999)).await;
        assert_eq!(verdicts.get(key), Some(fields("a")));
        assert_eq!(verdicts.get(other), None);
        tokio::time::advance(Duration::from_millis(1)).await;
        assert_eq!(verdicts.get(key), None);
        verdicts.insert(key, &fields("b"), Duration::from_secs(10));
        assert_eq!(verdicts.get(key), Some(fields("b")), "a new one takes the place of the old");
    }

    #[tokio::test]
    async fn there_is_an_end_to_their_number_and_size() {
        let verdicts = Verdicts::default();
        let hour = Duration::from_secs(3600);
        for number in 0..4 * PARTS * MAX_VERDICTS {
            verdicts.insert(verdicts.key(&number), &fields("a"), hour);
        }
        let last = verdicts.key(&(4 * PARTS * MAX_VERDICTS - 1));
        assert!(verdicts.get(last).is_some(), "the oldest go first");
        let large = "x".repeat(MAX_BYTES_OF_ONE - 200);
        for number in 0..4 * PARTS * MAX_BYTES / MAX_BYTES_OF_ONE {
            verdicts.insert(verdicts.key(&("large", number)), &fields(&large), hour);
        }
        for part in &verdicts.parts {
            let part = part.lock().unwrap();
            assert!(part.verdicts.len() <= MAX_VERDICTS && part.bytes <= MAX_BYTES);
            assert_eq!(part.order.len(), part.verdicts.len());
            assert_eq!(part.bytes, part.verdicts.values().map(|verdict| verdict.bytes).sum::<usize>());
        }
        let many = HeaderMap::from_iter((0..200).map(|number| {
            (HeaderName::try_from(format!("x-{number}")).unwrap(), HeaderValue::from_static(""))
        }));
        let key = verdicts.key(&"too many");
        verdicts.insert(key, &many, hour);
        assert_eq!(verdicts.get(key), None, "a field takes room besides its bytes");
        let key = verdicts.key(&"too large");
        verdicts.insert(key, &fields(&"x".repeat(MAX_BYTES_OF_ONE)), hour);
        assert_eq!(verdicts.get(key), None);
    }

    #[tokio::test]
    async fn what_is_kept_holds_nothing_else() {
        let head = bytes::Bytes::from(vec![b'x'; 64 * 1024]);
        let mut secret = HeaderValue::from_maybe_shared(head.slice(..10)).unwrap();
        secret.set_sensitive(true);
        let fields = HeaderMap::from_iter([(http::header::COOKIE, secret)]);
        let verdicts = Verdicts::default();
        let key = verdicts.key(&"a");
        verdicts.insert(key, &fields, Duration::from_secs(1));
        let kept = verdicts.get(key).unwrap();
        assert_eq!(kept, fields);
        assert!(kept.values().all(HeaderValue::is_sensitive));
        drop((kept, fields));
        assert!(head.is_unique(), "the head of an answer is not kept for one of its fields");
    }
}
