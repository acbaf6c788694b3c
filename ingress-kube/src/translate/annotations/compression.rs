//! Answers that are compressed.

use std::str::FromStr;

use bytesize::ByteSize;
use ingress_core::{Coding, MediaTypes, Policy};

use super::list::{Annotation, Scope, Unreadable, ValueKind, treat};
use super::{Fault, Vain, values};

pub(super) const ANNOTATIONS: &[Annotation] = &[
    Annotation {
        name: "compression",
        policy: "compression",
        meaning: "whether answers are compressed for clients that can read it: true, false, or a list of codings, br and gzip",
        default: "`false`",
        value: ValueKind::Switch,
        scope: Scope::Gateway,
        unreadable: Unreadable::LeftOut,
        read: treat!(policy.compression.codings, codings),
    },
    Annotation {
        name: "compression-min-size",
        policy: "compression",
        meaning: "how large an answer must be to be compressed, such as 4KiB",
        default: "`1KiB`",
        value: ValueKind::Size,
        scope: Scope::Gateway,
        unreadable: Unreadable::LeftOut,
        read: treat!(policy.compression.min_size, min_size),
    },
    Annotation {
        name: "compression-types",
        policy: "compression",
        meaning: "the media types of the answers that are compressed, such as text/*, application/json",
        default: "texts of all kinds: `text/*`, JSON, XML, JavaScript, SVG, WebAssembly, fonts that are not compressed",
        value: ValueKind::Text,
        scope: Scope::Gateway,
        unreadable: Unreadable::LeftOut,
        read: treat!(policy.compression.types, types),
    },
];

/// What has no effect for want of something else.
pub(super) fn in_vain(policy: &Policy) -> impl Iterator<Item = Vain> {
    let compression = &policy.compression;
    let is_off = compression.codings.as_ref().is_none_or(Vec::is_empty);
    let said = [
        ("compression-min-size", compression.min_size.is_some()),
        ("compression-types", compression.types.is_some()),
    ];
    said.into_iter().filter(move |(_, is_said)| is_off && *is_said).map(|(name, _)| Vain {
        name,
        why: "nothing is compressed".into(),
        write: "compression: true, too",
    })
}

fn codings(text: &str) -> Result<Vec<Coding>, Fault> {
    match values::keyword(text).as_str() {
        "true" => return Ok(vec![Coding::Brotli, Coding::Gzip]),
        "false" => return Ok(Vec::new()),
        _ => {}
    }
    let help = "write true, false, or a list of br and gzip";
    let coding = |word: &str| match values::keyword(word).as_str() {
        "br" | "brotli" => Ok(Coding::Brotli),
        "gzip" => Ok(Coding::Gzip),
        _ => Err(Fault::new(format!("{word:?} is no coding that there is"), help)),
    };
    let mut codings = values::words(text).map(coding).collect::<Result<Vec<_>, _>>()?;
    codings.sort_unstable();
    codings.dedup();
    match codings.is_empty() {
        true => Err(Fault::new("it says neither whether nor how", help)),
        false => Ok(codings),
    }
}

fn min_size(text: &str) -> Result<u64, Fault> {
    ByteSize::from_str(text.trim()).map(|size| size.as_u64()).map_err(|_| {
        Fault::new(
            format!("the size cannot be read: {text:?}"),
            "write bytes, or a number with a unit, such as 512 or 4KiB, or 0 for any size",
        )
    })
}

fn types(text: &str) -> Result<MediaTypes, Fault> {
    let help = "write media types with commas between them, such as text/*, application/json";
    text.parse().map_err(|error| Fault::new(format!("{error}"), help))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values() {
        let (br, gzip) = (Coding::Brotli, Coding::Gzip);
        for (text, want) in [
            ("true", Some(vec![br, gzip])),
            (" False ", Some(vec![])),
            ("gzip", Some(vec![gzip])),
            ("GZIP, br, gzip", Some(vec![br, gzip])),
            ("brotli", Some(vec![br])),
            ("", None),
            ("zstd", None),
            ("gzip, true", None),
            ("on", None),
        ] {
            assert_eq!(codings(text).ok(), want, "{text:?}");
        }
        for (text, want) in
            [("4KiB", Some(4096)), ("0", Some(0)), (" 1 kB ", Some(1000)), ("x", None), ("-1", None)]
        {
            assert_eq!(min_size(text).ok(), want, "{text:?}");
        }
        let read = |text| types(text).is_ok();
        assert_eq!(["text/html", "text/*, image/svg+xml"].map(read), [true; 2]);
        assert_eq!(["", "text", "*/*", "text/event-stream", "application/grpc"].map(read), [false; 5]);
    }
}
