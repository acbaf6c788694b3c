//! Kinds of values that several annotations have.

use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use ingress_core::{MediaType, MediaTypeError};

use super::Fault;

const MILLISECOND: Duration = Duration::from_millis(1);
pub(super) const SECOND: Duration = Duration::from_secs(1);
pub(super) const HOUR: Duration = Duration::from_secs(3600);
/// Nothing here waits longer.
pub(super) const DAY: Duration = Duration::from_secs(24 * 3600);

/// The outcomes of a request that a list names.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Outcomes {
    pub(super) reset: bool,
    pub(super) timeout: bool,
    pub(super) statuses: Vec<(u16, u16)>,
}

/// The words of a list.
pub(super) fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split([',', ' ', '\t', '\n', '\r']).filter(|word| !word.is_empty())
}

/// A word of ours as it is compared: letter case makes no difference, and `_` is `-`.
pub(super) fn keyword(word: &str) -> String {
    word.trim().to_ascii_lowercase().replace('_', "-")
}

/// A word, and what stands behind it.
pub(super) fn keyword_and_rest(text: &str) -> (String, &str) {
    let text = text.trim();
    let (word, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    (keyword(word), rest.trim())
}

/// Whether the text is a token (RFC 9110 section 5.6.2).
pub(super) fn is_token(text: &str) -> bool {
    let is_tchar = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(is_tchar)
}

/// A duration; `0` is one. `help` says what to write instead of what is none.
pub(super) fn duration(text: &str, help: &str) -> Result<Duration, Fault> {
    let text = text.trim();
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    humantime::parse_duration(text).map_err(|error| match text.parse::<u64>() {
        Ok(_) => Fault::new(
            format!("the duration has no unit: {text:?}"),
            format!("write {text}s for seconds, or {text}ms for milliseconds"),
        ),
        Err(_) => Fault::new(format!("the duration cannot be read: {error}: {text:?}"), help),
    })
}

/// A duration within these bounds.
pub(super) fn time(text: &str, bounds: RangeInclusive<Duration>) -> Result<Duration, Fault> {
    let shown = |time: &Duration| match time.is_zero() {
        true => "0".to_owned(),
        false => humantime::format_duration(*time).to_string(),
    };
    let help = format!("write a time from {} to {}, such as 10s", shown(bounds.start()), shown(bounds.end()));
    let time = duration(text, &help)?;
    match bounds.contains(&time) {
        true => Ok(time),
        false => Err(Fault::new(format!("the duration cannot be used: {text:?}"), help)),
    }
}

/// How long an endpoint is left out.
pub(super) fn ejection(text: &str) -> Result<Duration, Fault> {
    time(text, MILLISECOND * 100..=DAY)
}

/// A number within these bounds.
pub(super) fn count(text: &str, bounds: RangeInclusive<u32>) -> Result<u32, Fault> {
    let number = digits(text.trim()).filter(|number| bounds.contains(number));
    number.ok_or_else(|| {
        Fault::new(
            format!("the number cannot be used: {text:?}"),
            format!("write a whole number from {} to {}", bounds.start(), bounds.end()),
        )
    })
}

/// Any number; what `0` is, the annotation says.
pub(super) fn any_count(text: &str) -> Result<u32, Fault> {
    count(text, 0..=u32::MAX)
}

pub(super) fn percent(text: &str) -> Result<u8, Fault> {
    let trimmed = text.trim();
    let number = trimmed.strip_suffix('%').unwrap_or(trimmed).trim_end();
    digits(number).filter(|percent| *percent <= 100).ok_or_else(|| {
        Fault::new(
            format!("the percentage cannot be used: {text:?}"),
            "write a whole number from 0% to 100%, such as 10%",
        )
    })
}

/// A number with up to three decimals, in thousandths.
pub(super) fn thousandths(text: &str, max: u32) -> Result<u32, Fault> {
    let (whole, decimals) = text.trim().split_once('.').unwrap_or((text.trim(), "0"));
    let read = || {
        let decimals = format!("{decimals:0<3}");
        let decimals = digits::<u32>(&decimals).filter(|_| decimals.len() == 3)?;
        let number = digits::<u32>(whole)?.checked_mul(1000)?.checked_add(decimals)?;
        (number <= max * 1000).then_some(number)
    };
    read().filter(|_| !decimals.is_empty()).ok_or_else(|| {
        Fault::new(
            format!("the number cannot be used: {text:?}"),
            format!("write a number from 0 to {max} with at most three decimals, such as 1.9"),
        )
    })
}

/// `true` or `false`; `so` says what comes of anything else.
pub(super) fn switch(text: &str, so: &str) -> Result<bool, Fault> {
    match keyword(text).as_str() {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(Fault::new(format!("{text:?} is neither true nor false{so}"), "write true or false")),
    }
}

/// What a body is.
pub(super) fn media_type(text: &str) -> Result<MediaType, Fault> {
    text.parse().map_err(|error: MediaTypeError| {
        let message = format!("{error}, so it has no effect");
        Fault::new(message, "write a type and a subtype, such as text/html; charset=utf-8")
    })
}

/// The outcomes of a list, or the word that is none. `other` takes words that mean something else.
pub(super) fn outcomes(text: &str, mut other: impl FnMut(&str) -> bool) -> Result<Outcomes, &str> {
    let mut outcomes = Outcomes::default();
    for word in words(text) {
        match word {
            "reset" => outcomes.reset = true,
            "timeout" => outcomes.timeout = true,
            word if other(word) => {}
            word => outcomes.statuses.push(statuses(word, 400..=599).ok_or(word)?),
        }
    }
    outcomes.statuses = joined(outcomes.statuses);
    Ok(outcomes)
}

/// Statuses from the first to the last: `503`, `500-504`, or `5xx`.
pub(super) fn statuses(word: &str, known: RangeInclusive<u16>) -> Option<(u16, u16)> {
    let (first, last) = match (word.strip_suffix("xx"), word.split_once('-')) {
        (Some(hundreds), _) => {
            let first = digits::<u16>(hundreds)?.checked_mul(100)?;
            (first, first.checked_add(99)?)
        }
        (None, Some((first, last))) => (digits(first)?, digits(last)?),
        (None, None) => (digits(word)?, digits(word)?),
    };
    (first <= last && known.contains(&first) && known.contains(&last)).then_some((first, last))
}

/// The same statuses, in order, without overlaps.
pub(super) fn joined(mut ranges: Vec<(u16, u16)>) -> Vec<(u16, u16)> {
    ranges.sort_unstable();
    ranges.dedup_by(|next, kept| {
        let overlap = next.0 <= kept.1.saturating_add(1);
        if overlap {
            kept.1 = kept.1.max(next.1);
        }
        overlap
    });
    ranges
}

/// A number of digits alone: no sign.
fn digits<T: FromStr>(text: &str) -> Option<T> {
    text.parse().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_within_bounds() {
        for (text, want) in [
            ("1s", Some(1000)),
            (" 1m 30s\n", Some(90_000)),
            ("1h", Some(3_600_000)),
            ("999ms", None),
            ("3601s", None),
            ("0", None),
            ("10", None),
            ("soon", None),
            ("", None),
        ] {
            assert_eq!(time(text, SECOND..=HOUR).ok(), want.map(Duration::from_millis), "{text:?}");
        }
        assert_eq!(time("0", Duration::ZERO..=DAY), Ok(Duration::ZERO));
        assert_eq!(time("2h", SECOND..=HOUR).unwrap_err().help, "write a time from 1s to 1h, such as 10s");
        assert_eq!(
            time("x", Duration::ZERO..=DAY).unwrap_err().help,
            "write a time from 0 to 1day, such as 10s"
        );
        assert_eq!(ejection("50ms").unwrap_err().help, "write a time from 100ms to 1day, such as 10s");
    }

    #[test]
    fn numbers() {
        for (text, want) in
            [("3", Some(3)), (" 10 ", Some(10)), ("0", None), ("+3", None), ("11", None), ("", None)]
        {
            assert_eq!(count(text, 1..=10).ok(), want, "{text:?}");
        }
        for (text, want) in [
            ("10%", Some(10)),
            ("10", Some(10)),
            (" 100 % ", Some(100)),
            ("0", Some(0)),
            ("101%", None),
            ("1.5%", None),
            ("-1", None),
            ("%", None),
            ("10%%", None),
            ("", None),
        ] {
            assert_eq!(percent(text).ok(), want, "{text:?}");
        }
        for (text, want) in [
            ("1.9", Some(1900)),
            (" 2 ", Some(2000)),
            ("0", Some(0)),
            ("0.125", Some(125)),
            ("10.000", Some(10_000)),
            ("10.001", None),
            ("1.2345", None),
            ("1.", None),
            (".5", None),
            ("-1", None),
            ("1,9", None),
            ("99999999999", None),
            ("", None),
        ] {
            assert_eq!(thousandths(text, 10).ok(), want, "{text:?}");
        }
    }

    #[test]
    fn ranges_of_statuses() {
        for (word, want) in [
            ("200", Some((200, 200))),
            ("300-399", Some((300, 399))),
            ("2xx", Some((200, 299))),
            ("199", None),
            ("600", None),
            ("6xx", None),
            ("xx", None),
            ("399-300", None),
            ("+200", None),
            ("200-", None),
            ("ok", None),
        ] {
            assert_eq!(statuses(word, 200..=599), want, "{word:?}");
        }
        assert_eq!(joined(vec![(503, 503), (500, 501), (502, 502), (429, 429)]), [(429, 429), (500, 503)]);
        assert_eq!(joined(vec![(500, 599), (502, 502)]), [(500, 599)]);
    }

    #[test]
    fn tokens() {
        for (text, want) in
            [("id", true), ("X-a_b.~", true), ("", false), ("a b", false), ("a=b", false), ("ä", false)]
        {
            assert_eq!(is_token(text), want, "{text:?}");
        }
    }
}
