//! `path-syntax`: how ImplementationSpecific paths are read.

use super::Fault;

/// How ImplementationSpecific paths are read (ruling R9: as a Prefix, unless asked).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::translate) enum PathSyntax {
    /// As pathType Prefix is, characters of patterns included.
    Prefix,
    /// With names in braces for elements.
    Template,
    /// As a regular expression for the whole path.
    Regex,
}

impl PathSyntax {
    pub(super) fn parse(text: &str) -> Result<Self, Fault> {
        match text.trim() {
            "prefix" => Ok(Self::Prefix),
            "template" => Ok(Self::Template),
            "regex" => Ok(Self::Regex),
            other => Err(Fault::new(
                format!("{other:?} is no path syntax, so no ImplementationSpecific path is served"),
                "write prefix, template or regex",
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values() {
        let table = [
            ("prefix", Some(PathSyntax::Prefix)),
            (" template\n", Some(PathSyntax::Template)),
            ("regex", Some(PathSyntax::Regex)),
            ("Regex", None),
            ("", None),
            ("prefix, regex", None),
        ];
        for (text, want) in table {
            assert_eq!(PathSyntax::parse(text).ok(), want, "{text:?}");
        }
    }
}
