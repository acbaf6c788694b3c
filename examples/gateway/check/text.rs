//! Findings for people, in the manner of rustc.

use std::fmt::Write;
use std::io::IsTerminal;

use annotate_snippets::{
    Annotation, AnnotationKind, Group, Level, Origin, Renderer, Snippet, normalize_untrusted_str,
};
use ingress_core::{Diagnostic, Severity, Source};

use super::Summary;
use super::place::{Place, Texts};
use crate::offline::Offline;
use crate::report;

/// All findings and a summary, in colours on a terminal.
pub(super) fn render(offline: &Offline, findings: &[&Diagnostic], summary: &Summary) -> String {
    let no_colours = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let colours = std::io::stdout().is_terminal() && !no_colours;
    let renderer = if colours { Renderer::styled() } else { Renderer::plain() };
    let mut texts = Texts::new(&offline.loaded);
    let mut text = String::new();
    for finding in findings {
        text += &renderer.render(&[group(finding, &mut texts)]);
        text += "\n\n";
    }
    let nothing = match summary.objects {
        0 => Some("there is no Ingress, IngressClass, Service or EndpointSlice"),
        _ => report::nothing_served(&offline.report, false),
    };
    if let Some(why) = nothing {
        text += &renderer.render(&[Group::with_title(Level::NOTE.primary_title(why))]);
        text += "\n\n";
    }
    // Writing to a string does not fail.
    let _ = writeln!(text, "{summary}");
    text
}

fn group<'l>(finding: &'l Diagnostic, texts: &mut Texts<'l>) -> Group<'l> {
    let level = match finding.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let mut group = Group::with_title(level.primary_title(&*finding.message).id(finding.code.as_str()));
    if let Some(source) = &finding.source {
        group = show(group, source, AnnotationKind::Primary, None, texts);
    }
    if let Some(winner) = &finding.related {
        group = show(group, winner, AnnotationKind::Context, Some(format!("{winner} counts")), texts);
    }
    let source = finding.source.as_ref().map(ToString::to_string).filter(|source| !source.is_empty());
    if let Some(source) = source {
        group = group.element(Level::NOTE.message(format!("in {}", normalize_untrusted_str(&source))));
    }
    if !finding.help.is_empty() {
        group = group.element(Level::HELP.message(normalize_untrusted_str(&finding.help)));
    }
    group
}

/// Adds the line that a source is about, or at least its name.
fn show<'l>(
    group: Group<'l>,
    source: &'l Source,
    kind: AnnotationKind,
    label: Option<String>,
    texts: &mut Texts<'l>,
) -> Group<'l> {
    let Some(file) = source.object.file.as_deref() else { return group };
    match texts.place(source) {
        Some(Place { line, text: Some(text), span }) => {
            let annotation: Annotation<'l> = kind.span(span).label(label);
            let line = usize::try_from(line).unwrap_or(usize::MAX);
            group.element(Snippet::source(text).line_start(line).path(file).annotation(annotation))
        }
        _ => {
            let line = source.object.line.and_then(|line| usize::try_from(line).ok());
            let origin = Origin::path(file);
            group.element(match line {
                Some(line) => origin.line(line),
                None => origin,
            })
        }
    }
}

// ===== impl Summary =====

impl std::fmt::Display for Summary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { errors, warnings, files, objects, foreign, routes, hosts, .. } = *self;
        write!(f, "{} and {}; ", counted(errors, "error"), counted(warnings, "warning"))?;
        write!(f, "{} on {}, ", counted(routes, "route"), counted(hosts, "host"))?;
        write!(f, "from {} in {}", counted(objects, "object"), counted(files, "file"))?;
        if foreign > 0 {
            write!(f, "; {} of other controllers left out", counted(foreign, "Ingress"))?;
        }
        Ok(())
    }
}

fn counted(count: usize, what: &str) -> String {
    match (count, what.ends_with('s')) {
        (1, _) => format!("1 {what}"),
        (_, true) => format!("{count} {what}es"),
        (_, false) => format!("{count} {what}s"),
    }
}
