//! A text that an expression describes.

use regex_syntax::ParserBuilder;
use regex_syntax::hir::{Class, Hir, HirKind};

/// Characters that read well, tried first where a class leaves the choice.
const PREFERRED: &[u8] = b"abcdefghijklmnopqrstuvwxyz0";

/// A short text that the expression should describe; the caller checks whether it does, because what stands around
/// a place (`\b`) is not looked at.
pub(super) fn sample(expression: &str) -> Option<String> {
    let parsed = ParserBuilder::new().unicode(false).utf8(false).build().parse(expression).ok()?;
    let mut out = Vec::new();
    write(&parsed, &mut out)?;
    String::from_utf8(out).ok()
}

fn write(hir: &Hir, out: &mut Vec<u8>) -> Option<()> {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => Some(()),
        HirKind::Literal(literal) => {
            out.extend_from_slice(&literal.0);
            Some(())
        }
        HirKind::Class(class) => {
            out.push(choose(class)?);
            Some(())
        }
        HirKind::Repetition(repetition) => (0..repetition.min).try_for_each(|_| write(&repetition.sub, out)),
        HirKind::Capture(capture) => write(&capture.sub, out),
        HirKind::Concat(parts) => parts.iter().try_for_each(|part| write(part, out)),
        HirKind::Alternation(parts) => write(parts.first()?, out),
    }
}

fn choose(class: &Class) -> Option<u8> {
    let Class::Bytes(class) = class else { return None };
    let holds = |byte: u8| class.ranges().iter().any(|range| (range.start()..=range.end()).contains(&byte));
    PREFERRED.iter().copied().chain(b'!'..=b'~').find(|&byte| holds(byte))
}

#[cfg(test)]
mod tests {
    use crate::Pattern;

    #[test]
    fn samples_match() {
        let table = [
            ("/v[0-9]+/.*", Some("/v0/")),
            ("(?i)/admin(/.*)?", Some("/admin")),
            ("/(users|orders)/[^/]+", Some("/users/a")),
            ("a{3}|b", Some("aaa")),
            (r"\w+@\d{2}", Some("a@00")),
            (r"[^!-~]", None),
            (r"a\Bb|\Bc", Some("ab")),
        ];
        for (expression, want) in table {
            assert_eq!(Pattern::new(expression).unwrap().sample().as_deref(), want, "{expression}");
        }
    }
}
