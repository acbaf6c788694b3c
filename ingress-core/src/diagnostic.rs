//! Findings about configuration: what is wrong, where, and what to write instead.

use std::cmp::Ordering;
use std::fmt::{self, Write as _};

use crate::Source;

/// One finding. It never stops anything but the rule that it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Diagnostic {
    /// What kind of finding this is; stable over releases.
    pub code: Code,
    /// Whether something is not served as it is written.
    pub severity: Severity,
    /// The object and field, if the finding is about one.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub source: Option<Source>,
    /// The object and field that wins, where something is shadowed.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub related: Option<Source>,
    /// What is wrong, in one sentence without a full stop.
    pub message: Box<str>,
    /// What to write instead, in one sentence without a full stop; may be empty.
    pub help: Box<str>,
}

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "lowercase"))]
pub enum Severity {
    /// Something that is written is not served.
    Error,
    /// Everything is served, perhaps not as its author thinks.
    Warning,
}

/// Declares the codes once: variant, text, severity and meaning.
macro_rules! codes {
    ($($variant:ident $text:literal $severity:ident $meaning:literal)*) => {
        /// The kind of a finding. The text of a code never changes its meaning.
        ///
        #[doc = include_str!("../DIAGNOSTICS.md")]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Code {
            $(#[doc = concat!("`", $text, "`: ", $meaning, ".")] $variant,)*
        }

        impl Code {
            /// The stable text, such as `ING003`.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }

            /// How bad a finding of this kind is.
            pub fn severity(self) -> Severity {
                match self { $(Self::$variant => Severity::$severity,)* }
            }

            /// What a finding of this kind is about, in words that follow "found:", without a full stop.
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$variant => $meaning,)* }
            }

            /// All codes, in the order of their texts.
            pub fn all() -> &'static [Self] {
                &[$(Self::$variant,)*]
            }
        }
    };
}

codes! {
    UnreadableFile "ING001" Error "a file that cannot be read, or that is not YAML or JSON"
    InvalidObject "ING002" Error "an object with a missing field, or one of a wrong type"
    InvalidHost "ING003" Error "a rule's host that is no DNS name and no wildcard"
    InvalidPath "ING004" Error "a rule's path that the API server refuses or that no request can have"
    InvalidPathType "ING005" Error "a path type that is missing or unknown"
    InvalidBackend "ING006" Error "a backend that is not exactly one Service port or one resource"
    MissingService "ING007" Error "a Service that does not exist; its routes answer 503"
    MissingPort "ING008" Error "a Service port that does not exist; its routes answer 503"
    ShadowedRule "ING009" Warning "a rule that an older object's rule for the same host and path hides"
    OverlappingPrefix "ING010" Warning "a Prefix hidden by the same Prefix with a slash at its end"
    EmptyIngress "ING011" Error "an Ingress with neither rules nor a default backend"
    DuplicateObject "ING012" Warning "an object that a second file holds, too"
    UnknownClass "ING013" Warning "an Ingress that is not served, or a class that is not, for want of an IngressClass that says so"
    ExternalName "ING014" Error "a Service of type ExternalName, which is not followed; its routes answer 503"
    LiteralPattern "ING015" Warning "an ImplementationSpecific path that looks like a pattern but is taken literally"
    IgnoredField "ING016" Warning "a field or annotation that has no effect here"
    InvalidEndpoint "ING017" Error "an endpoint whose address or port cannot be dialled"
    MissingResource "ING018" Error "a resource backend that no service in this process answers"
    NoHttp "ING019" Warning "a rule with a host and no paths; it only takes the default backend"
    AmbiguousRulePath "ING020" Warning "a rule's path that servers read in different ways, so that no request reaches it"
    HostNotOwned "ING021" Error "a rule whose host its namespace may not claim; the rule is not served"
    InvalidParameters "ING022" Error "an IngressClass whose parameters cannot be used; the class is served without"
    InvalidAnnotation "ING023" Error "an annotation of ours, or a class parameter, whose value cannot be used"
    UnknownAnnotation "ING024" Warning "an annotation of ours, or a class parameter, that nobody knows"
    DefaultBackend "ING025" Error "a global default backend that does not exist; requests for it are answered with 503"
    MissingSecret "ING026" Warning "a Secret that does not exist, so that another certificate is presented"
    InvalidCertificate "ING027" Error "a Secret without a certificate that can be used, so that another one is presented"
    CertificateNames "ING028" Warning "a certificate that does not name a host that it is presented for"
}

// ===== impl Diagnostic =====

impl Ord for Diagnostic {
    /// By object and field; what is about none comes first.
    fn cmp(&self, other: &Self) -> Ordering {
        self.order().cmp(&other.order())
    }
}

impl PartialOrd for Diagnostic {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Diagnostic {
    /// A finding with its code's severity.
    pub fn new(
        code: Code,
        source: impl Into<Option<Source>>,
        message: impl Into<Box<str>>,
        help: impl Into<Box<str>>,
    ) -> Self {
        Self {
            code,
            severity: code.severity(),
            source: source.into(),
            related: None,
            message: message.into(),
            help: help.into(),
        }
    }

    /// Names the object and field that wins over what the finding is about.
    #[must_use]
    pub fn with_related(mut self, related: impl Into<Option<Source>>) -> Self {
        self.related = related.into();
        self
    }

    fn order(&self) -> impl Ord + '_ {
        let Self { code, severity, source, related, message, help } = self;
        (source, code, message, help, related, severity)
    }

    /// Takes over the lines that `locate` knows of the fields that the finding names.
    pub(crate) fn locate(&mut self, mut locate: impl FnMut(&Source) -> Option<u32>) {
        self.source.iter_mut().chain(&mut self.related).for_each(|source| source.locate(&mut locate));
    }
}

/// Writes text with its control characters escaped.
struct OneLine<'a, 'f>(&'a mut fmt::Formatter<'f>);

impl fmt::Write for OneLine<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for part in text.split_inclusive(char::is_control) {
            let plain = part.trim_end_matches(char::is_control);
            self.0.write_str(plain)?;
            write!(self.0, "{}", part[plain.len()..].escape_debug())?;
        }
        Ok(())
    }
}

impl fmt::Display for Diagnostic {
    /// `error[ING003]: file.yaml:7: Ingress shop/web spec.rules[0].host: message; help`.
    ///
    /// It is one line: control characters, which an object's text may hold, are escaped.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let f = &mut OneLine(f);
        write!(f, "{}[{}]: ", self.severity, self.code)?;
        if let Some(source) = &self.source {
            let source = source.located().to_string();
            if !source.is_empty() {
                write!(f, "{source}: ")?;
            }
        }
        f.write_str(&self.message)?;
        if !self.help.is_empty() {
            write!(f, "; {}", self.help)?;
        }
        Ok(())
    }
}

// ===== impl Severity, Code =====

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Error => "error",
            Self::Warning => "warning",
        })
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for Code {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ObjectRef;

    #[test]
    fn the_text_names_file_object_field_and_fix() {
        let object = ObjectRef {
            kind: "Ingress".into(),
            namespace: "shop".into(),
            name: "web".into(),
            file: Some("web.yaml".into()),
            line: Some(7),
            ..ObjectRef::default()
        };
        let source = Source::new(object.into(), "spec.rules[0].host");
        let finding =
            Diagnostic::new(Code::InvalidHost, source, "the host names a port", "write just the name");
        assert_eq!(
            finding.to_string(),
            "error[ING003]: web.yaml:7: Ingress shop/web spec.rules[0].host: the host names a port; write just the name"
        );
        assert_eq!(Diagnostic::new(Code::ShadowedRule, None, "x", "").to_string(), "warning[ING009]: x");
        let forged = Diagnostic::new(Code::ShadowedRule, None, "a\nerror[ING001]: b\u{1b}[31m\u{85}c", "");
        let want = r"warning[ING009]: a\nerror[ING001]: b\u{1b}[31m\u{85}c";
        assert_eq!(forged.to_string(), want);
    }

    #[test]
    fn codes_count_on_without_a_gap_and_have_a_meaning() {
        for (number, code) in (1..).zip(Code::all()) {
            assert_eq!(code.as_str(), format!("ING{number:03}"));
            assert!(!code.meaning().is_empty() && !code.meaning().ends_with('.'), "{code}");
        }
    }
}
