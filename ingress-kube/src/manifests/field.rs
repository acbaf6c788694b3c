//! From a line of a document to the field on it.

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
            Step::Key(key) if key.contains(['.', '/']) => path += &format!("[{key}]"),
            Step::Key(key) => {
                if !path.is_empty() {
                    path.push('.');
                }
                path += key;
            }
        }
    }
    path
}
