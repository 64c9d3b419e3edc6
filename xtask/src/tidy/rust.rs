//! Just enough of Rust's lexical rules to tell code from comments, strings and tests.

/// The source with comments, strings and character literals blanked; lines stay where they are.
pub(super) fn code_only(source: &str) -> String {
    let mut out = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(first) = rest.chars().next() {
        let length = token(rest, out.chars().next_back());
        let (text, after) = match length {
            Some(length) => rest.split_at_checked(length).unwrap_or((rest, "")),
            None => rest.split_at_checked(first.len_utf8()).unwrap_or((rest, "")),
        };
        match length {
            Some(_) => out.extend(text.chars().map(|c| if c == '\n' { '\n' } else { ' ' })),
            None => out.push_str(text),
        }
        rest = after;
    }
    out
}

/// The length of the comment or literal that `rest` begins with.
fn token(rest: &str, before: Option<char>) -> Option<usize> {
    if rest.starts_with("//") {
        return Some(rest.find('\n').unwrap_or(rest.len()));
    }
    if rest.starts_with("/*") {
        return Some(block_comment(rest));
    }
    if rest.starts_with('"') {
        return Some(quoted(rest, '"'));
    }
    if before.is_none_or(|c| !c.is_alphanumeric() && c != '_') {
        for prefix in ["br", "cr", "r"] {
            if let Some(length) = rest.strip_prefix(prefix).and_then(raw_string) {
                return Some(prefix.len() + length);
            }
        }
    }
    if rest.starts_with('\'') {
        return char_literal(rest);
    }
    None
}

fn block_comment(rest: &str) -> usize {
    let (mut depth, mut at) = (0_usize, 0_usize);
    while let Some(here) = rest.get(at..).filter(|here| !here.is_empty()) {
        if here.starts_with("/*") {
            depth += 1;
            at += 2;
        } else if here.starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += here.chars().next().map_or(1, char::len_utf8);
        }
    }
    rest.len()
}

/// The length of a literal in quotes with backslash escapes.
fn quoted(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == quote => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

/// The length of `#"..."#` after the prefix, with any number of hashes.
fn raw_string(rest: &str) -> Option<usize> {
    let hashes = rest.bytes().take_while(|b| *b == b'#').count();
    let body = rest.get(hashes..)?.strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    Some(body.find(&end).map_or(rest.len(), |at| hashes + 1 + at + end.len()))
}

/// A character literal; `None` for a lifetime.
fn char_literal(rest: &str) -> Option<usize> {
    let mut chars = rest.chars().skip(1);
    let first = chars.next()?;
    (first == '\\' || chars.next() == Some('\'')).then(|| quoted(rest, '\''))
}

/// Whether the whole file is tests by its name.
pub(super) fn is_test_file(path: &str) -> bool {
    path.ends_with("/tests.rs") || path.contains("/tests/") || path.contains("/benches/")
}

/// The lines of code outside `#[cfg(test)]` items, comments and literals blanked, numbered from 1.
pub(super) fn product_lines(source: &str) -> Vec<(usize, String)> {
    let code = code_only(source);
    let mut lines = Vec::new();
    // Some(depth): inside a test item whose braces are open `depth` deep; 0 before the first one.
    let mut test: Option<usize> = None;
    for (index, line) in code.lines().enumerate() {
        if test.is_none() && line.trim_start().starts_with("#[cfg(test)]") {
            test = Some(0);
        }
        let Some(depth) = test else {
            lines.push((index + 1, line.to_owned()));
            continue;
        };
        let (mut depth, mut ended) = (depth, false);
        for c in line.chars() {
            match c {
                '{' => depth += 1,
                '}' => depth = depth.saturating_sub(1),
                ';' if depth == 0 => ended = true,
                _ => continue,
            }
            ended |= c == '}' && depth == 0;
        }
        test = (!ended).then_some(depth);
    }
    lines
}

/// Whether `word` stands in `line` by itself, not as part of a longer name.
pub(super) fn has_word(line: &str, word: &str) -> bool {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        let before = line.get(..at).and_then(|s| s.chars().next_back());
        let after = line.get(at + word.len()..).and_then(|s| s.chars().next());
        !before.is_some_and(part) && !after.is_some_and(part)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_literals_are_blanked() {
        for (source, code) in [
            ("a // b\nc", "a     \nc"),
            ("a /* b /* c */ d */ e", "a                   e"),
            ("f(\"x \\\" y\", z)", "f(        , z)"),
            ("r#\"a \" b\"#; c", "          ; c"),
            ("br\"a\"; bar(\"q\")", "     ; bar(   )"),
            ("'a' 'b: '\\'' &'static str", "    'b:      &'static str"),
            ("/* open", "       "),
        ] {
            assert_eq!(code_only(source), code, "{source}");
        }
    }

    #[test]
    fn test_items_are_left_out() {
        let source = "a\n#[cfg(test)]\nmod tests {\n    fn b() {\n    }\n}\nc\n#[cfg(test)]\nmod t;\nd\n";
        let lines: Vec<_> = product_lines(source).into_iter().map(|(number, _)| number).collect();
        assert_eq!(lines, [1, 7, 10]);
    }

    #[test]
    fn words_stand_alone() {
        assert!(has_word("an unsafe block", "unsafe"));
        assert!(!has_word("#![forbid(unsafe_code)]", "unsafe"));
    }
}
