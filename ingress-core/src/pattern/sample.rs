//! A text that an expression describes.

use regex_syntax::ParserBuilder;
use regex_syntax::hir::{Class, Hir, HirKind};

/// Characters that read well, tried first where a class leaves the choice.
const PREFERRED: &[u8] = b"abcdefghijklmnopqrstuvwxyz0";

/// A short text that the expression should describe; the caller checks whether it does, because what stands around
/// a place (`\b`) is not looked at. Where the expression leaves a choice, each variant from 0 on takes another.
pub(super) fn sample(expression: &str, variant: usize) -> Option<String> {
    let parsed = ParserBuilder::new().unicode(false).utf8(false).build().parse(expression).ok()?;
    let mut out = Vec::new();
    write(&parsed, variant, &mut out)?;
    String::from_utf8(out).ok()
}

fn write(hir: &Hir, variant: usize, out: &mut Vec<u8>) -> Option<()> {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => Some(()),
        HirKind::Literal(literal) => {
            out.extend_from_slice(&literal.0);
            Some(())
        }
        HirKind::Class(class) => {
            out.push(choose(class, variant)?);
            Some(())
        }
        HirKind::Repetition(repetition) => {
            let more = repetition.min.saturating_add(variant as u32 % 2);
            let times = more.min(repetition.max.unwrap_or(more));
            (0..times).try_for_each(|_| write(&repetition.sub, variant, out))
        }
        HirKind::Capture(capture) => write(&capture.sub, variant, out),
        HirKind::Concat(parts) => parts.iter().try_for_each(|part| write(part, variant, out)),
        HirKind::Alternation(parts) => write(parts.get(variant % parts.len())?, variant, out),
    }
}

fn choose(class: &Class, variant: usize) -> Option<u8> {
    let Class::Bytes(class) = class else { return None };
    let holds = |byte: &u8| class.ranges().iter().any(|range| (range.start()..=range.end()).contains(byte));
    let choices: Vec<u8> =
        PREFERRED.iter().copied().chain(b'!'..=b'~').filter(holds).take(variant + 1).collect();
    choices.last().copied()
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
            assert_eq!(Pattern::new(expression).unwrap().sample(0).as_deref(), want, "{expression}");
        }
    }

    #[test]
    fn variants_differ() {
        let pattern = Pattern::new("/[a-c]x*(/y|/z)?").unwrap();
        let samples: Vec<_> = (0..4).filter_map(|variant| pattern.sample(variant)).collect();
        assert_eq!(samples, ["/a", "/bx/z", "/c", "/ax/z"]);
    }
}
