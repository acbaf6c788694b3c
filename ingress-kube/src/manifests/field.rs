//! From a line of a document to the field on it, and back.

use std::collections::HashMap;

/// How deep and long field paths are looked at; ours are a third of it. A text within a value may look like
/// fields of any depth.
pub(super) const MAX_DEPTH: usize = 32;
pub(super) const MAX_PATH_LEN: usize = 512;

/// One step of a field path.
enum Step<'t> {
    Key(&'t str),
    Item(usize),
}

/// What a line of a block-style document begins with, and in which column.
enum Token<'t> {
    Dash(usize),
    Key(usize, &'t str),
}

/// The field on a line (counted from 1) of a block-style document, such as `spec.rules[0].host`, found by
/// indentation alone. In flow style it is the field that the line begins with.
pub(super) fn field_at(text: &str, line: u32) -> String {
    let line = usize::try_from(line).unwrap_or(usize::MAX);
    let lines: Vec<_> = text.lines().take(line).collect();
    let mut steps = Vec::new();
    let (mut key_before, mut dash_before, mut siblings) = (usize::MAX, usize::MAX, None);
    for line in lines.into_iter().rev() {
        for token in tokens(line).into_iter().rev() {
            match token {
                Token::Key(column, key) if column < key_before => {
                    steps.push(Step::Key(key));
                    (key_before, dash_before, siblings) = (column, column, None);
                }
                Token::Dash(column) if column < dash_before => {
                    steps.push(Step::Item(0));
                    // The list's own key may stand in the same column as its dashes.
                    (key_before, dash_before, siblings) = (column + 1, column, Some(column));
                }
                Token::Dash(column) if siblings == Some(column) => {
                    if let Some(Step::Item(index)) = steps.last_mut() {
                        *index += 1;
                    }
                }
                Token::Key(..) | Token::Dash(_) => {}
            }
        }
        if key_before == 0 {
            break;
        }
    }
    write_path(steps.iter().rev())
}

/// On which line (counted from 1) which field of a document begins.
#[derive(Debug, Default)]
pub(super) struct FieldLines(HashMap<Box<str>, u32>);

impl FieldLines {
    /// Of the lines of a block-style document.
    pub(super) fn new<'t>(lines: impl Iterator<Item = &'t str>) -> Self {
        let mut fields = Self::default();
        let mut path = String::new();
        let mut open: Vec<Open> = Vec::new();
        for (number, line) in (1..).zip(lines) {
            for token in tokens(line) {
                let (Token::Key(column, _) | Token::Dash(column)) = token;
                let dash = matches!(token, Token::Dash(_));
                let mut index = 0;
                // The list's own key may stand in the same column as its dashes.
                let ends = |open: &mut Open| {
                    open.column > column || open.column == column && !(dash && open.index.is_none())
                };
                while let Some(ended) = open.pop_if(ends) {
                    path.truncate(ended.before);
                    index = ended.index.filter(|_| ended.column == column).map_or(0, |last| last + 1);
                }
                if open.len() >= MAX_DEPTH {
                    break;
                }
                open.push(Open { column, index: dash.then_some(index), before: path.len() });
                match token {
                    Token::Key(_, key) => push_key(&mut path, key),
                    Token::Dash(_) => path += &format!("[{index}]"),
                }
                if path.len() <= MAX_PATH_LEN {
                    fields.note(&path, number);
                }
            }
        }
        fields
    }

    /// Adds a field; of two with one path the first counts.
    pub(super) fn note(&mut self, field: &str, line: u32) {
        self.0.entry(field.into()).or_insert(line);
    }

    /// The line of a field; where it has none of its own, that of what it stands in.
    pub(super) fn line_of(&self, field: &str) -> Option<u32> {
        let mut field = field;
        loop {
            if let Some(line) = self.0.get(field) {
                return Some(*line);
            }
            field = &field[..field.rfind(['.', '['])?];
        }
    }
}

/// A key or a list that the lines below may belong to.
struct Open {
    column: usize,
    /// Of the list's last item.
    index: Option<usize>,
    /// How long the path before it is.
    before: usize,
}

fn tokens(line: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let mut rest = line.trim_start_matches(' ');
    if rest.starts_with('#') || rest.starts_with("---") {
        return tokens;
    }
    let column = |rest: &str| line.len() - rest.len();
    while let Some(item) =
        rest.strip_prefix("- ").or_else(|| rest.strip_prefix('-').filter(|item| item.is_empty()))
    {
        tokens.push(Token::Dash(column(rest)));
        rest = item.trim_start_matches(' ');
    }
    let key = rest.split_once(": ").map(|(key, _)| key).or_else(|| rest.trim_end().strip_suffix(':'));
    let key = key.map(|key| key.trim_matches(['"', '\'']));
    if let Some(key) = key.filter(|key| !key.is_empty() && !key.contains(['{', '[', ' '])) {
        tokens.push(Token::Key(column(rest), key));
    }
    tokens
}

fn write_path<'t>(steps: impl Iterator<Item = &'t Step<'t>>) -> String {
    let mut path = String::new();
    for step in steps {
        match step {
            Step::Item(index) => path += &format!("[{index}]"),
            Step::Key(key) => push_key(&mut path, key),
        }
    }
    path
}

pub(super) fn push_key(path: &mut String, key: &str) {
    if key.contains(['.', '/']) {
        *path += &format!("[{key}]");
        return;
    }
    if !path.is_empty() {
        path.push('.');
    }
    *path += key;
}
