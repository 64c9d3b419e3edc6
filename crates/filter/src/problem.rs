//! What is wrong with a filter file: the file, the place in it, the key, and the mend.

use std::fmt;

/// The text of a filter file and the name that messages give it.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    pub(crate) name: String,
    pub(crate) text: String,
}

/// One thing that is wrong with a filter file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Name of the file, as it was given.
    pub file: String,
    /// Line in the file, from 1.
    pub line: usize,
    /// Column of that line, from 1, in characters.
    pub column: usize,
    /// The key, as `exclude[2].where.path[0]`; empty for the whole file.
    pub key: String,
    /// What is wrong, and how it is mended.
    pub message: String,
    /// The expression, where one is wrong, and the character of it at which it is wrong, from 0.
    pub expression: Option<(String, usize)>,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}: ", self.file, self.line, self.column)?;
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.message)?;
        let Some((text, at)) = &self.expression else { return Ok(()) };
        // The line of the expression that holds the character, and the caret below it.
        let before: String = text.chars().take(*at).collect();
        let start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let line = text.get(start..).and_then(|rest| rest.lines().next()).unwrap_or_default();
        let indent = before.get(start..).unwrap_or_default().chars().count();
        write!(f, "\n    {line}\n    {:indent$}^", "")
    }
}

/// Everything that is wrong with the filter files, at least one thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Errors(pub Vec<Problem>);

impl fmt::Display for Errors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, problem) in self.0.iter().enumerate() {
            if number > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Errors {}

impl Source {
    /// A problem at a key of the file.
    pub(crate) fn problem(&self, key: &str, message: impl Into<String>) -> Problem {
        let (line, column) = position(&self.text, offset(&self.text, key));
        Problem {
            file: self.name.clone(),
            line,
            column,
            key: key.to_owned(),
            message: message.into(),
            expression: None,
        }
    }

    /// Reads the file.
    pub(crate) fn read<T: serde::de::DeserializeOwned>(&self) -> Result<T, Errors> {
        let mut reader = serde_json::Deserializer::from_str(&self.text);
        let read = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
            let path = error.path().to_string();
            (if path == "." { String::new() } else { path }, error.into_inner())
        });
        // What stands behind the value is wrong, too.
        let read =
            read.and_then(|value| reader.end().map(|()| value).map_err(|error| (String::new(), error)));
        read.map_err(|(key, error)| {
            let text = error.to_string();
            let message = text.split(" at line ").next().unwrap_or(&text).to_owned();
            Errors(vec![Problem {
                file: self.name.clone(),
                line: error.line().max(1),
                column: error.column().max(1),
                key,
                message,
                expression: None,
            }])
        })
    }
}

/// Line and column of an offset in bytes, both from 1.
fn position(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or_default();
    let line = before.matches('\n').count() + 1;
    (line, before.rsplit('\n').next().unwrap_or_default().chars().count() + 1)
}

/// The offset in valid JSON of the value with a key such as `rules[3].when`; of the innermost part that is
/// there.
fn offset(text: &str, key: &str) -> usize {
    let bytes = text.as_bytes();
    let mut at = blanks(bytes, 0);
    for step in key.split(['.', '[']).filter(|step| !step.is_empty()) {
        let index = step.strip_suffix(']').and_then(|number| number.parse::<usize>().ok());
        let found = match index {
            Some(index) => element(bytes, at, index),
            None => member(text, at, step),
        };
        let Some(found) = found else { break };
        at = found;
    }
    at
}

fn blanks(bytes: &[u8], at: usize) -> usize {
    let rest = bytes.get(at..).unwrap_or_default();
    at + rest.iter().take_while(|byte| byte.is_ascii_whitespace()).count()
}

/// The end of the value that begins at `at`.
fn end(bytes: &[u8], mut at: usize) -> usize {
    let mut depth = 0_usize;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => {
                at += 1;
                while let Some(byte) = bytes.get(at).filter(|byte| **byte != b'"') {
                    at += if *byte == b'\\' { 2 } else { 1 };
                }
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' if depth == 0 => return at,
            b'}' | b']' => depth -= 1,
            b',' | b':' if depth == 0 => return at,
            byte if depth == 0 && byte.is_ascii_whitespace() => return at,
            _ => {}
        }
        at += 1;
        if depth == 0 && matches!(bytes.get(at - 1), Some(b'"' | b'}' | b']')) {
            return at;
        }
    }
    at
}

fn element(bytes: &[u8], at: usize, index: usize) -> Option<usize> {
    let mut at = blanks(bytes, at + usize::from(bytes.get(at) == Some(&b'[')));
    for _ in 0..index {
        at = blanks(bytes, end(bytes, at));
        at = blanks(bytes, (bytes.get(at) == Some(&b',')).then_some(at + 1)?);
    }
    Some(at)
}

fn member(text: &str, at: usize, name: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut at = blanks(bytes, (bytes.get(at) == Some(&b'{')).then_some(at + 1)?);
    loop {
        let key = (at, end(bytes, at));
        at = blanks(bytes, key.1);
        at = blanks(bytes, (bytes.get(at) == Some(&b':')).then_some(at + 1)?);
        if text.get(key.0 + 1..key.1.saturating_sub(1)) == Some(name) {
            return Some(at);
        }
        at = blanks(bytes, end(bytes, at));
        at = blanks(bytes, (bytes.get(at) == Some(&b',')).then_some(at + 1)?);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_found_in_the_file() {
        let text = "{\n  \"a\": [1, \"x\\\"]\", {\"b\": [], \"c\": true}],\n  \"d\": {}\n}";
        for (key, at) in [
            ("", (1, 1)),
            ("a", (2, 8)),
            ("a[1]", (2, 12)),
            ("a[2].b", (2, 26)),
            ("a[2].c", (2, 35)),
            ("a[9]", (2, 8)),
            ("d", (3, 8)),
            ("d.x", (3, 8)),
        ] {
            assert_eq!(position(text, offset(text, key)), at, "{key}");
        }
    }

    #[test]
    fn a_caret_stands_below_the_character() {
        let problem = Problem {
            file: "f.json".to_owned(),
            line: 3,
            column: 9,
            key: "rules[0].when".to_owned(),
            message: "no".to_owned(),
            expression: Some(("ü &&\n b.c".to_owned(), 6)),
        };
        assert_eq!(problem.to_string(), "f.json:3:9: rules[0].when: no\n     b.c\n     ^");
    }
}
