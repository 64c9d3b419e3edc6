//! Tokens of a GraphQL document, section 2.1.

/// A token, as far as it matters here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Token<'d> {
    /// A name or a keyword.
    Name(&'d str),
    /// One of `! $ & ( ) : = @ [ ] { | }`.
    Mark(u8),
    /// `...`
    Spread,
    /// A number or a text.
    Value,
}

/// Reads tokens from the front of a text.
pub(super) struct Tokens<'d> {
    rest: &'d str,
    /// Something that is no token was met, or a text without its end.
    pub(super) is_broken: bool,
}

impl<'d> Tokens<'d> {
    pub(super) const fn new(text: &'d str) -> Self {
        Self { rest: text, is_broken: false }
    }

    /// What begins at the front and has `length` bytes.
    fn cut(&mut self, length: usize) -> &'d str {
        let (front, rest) = self.rest.split_at_checked(length).unwrap_or((self.rest, ""));
        self.rest = rest;
        front
    }

    /// A text in quotes.
    fn text(&mut self) {
        let block = self.rest.starts_with("\"\"\"");
        let start = if block { 3 } else { 1 };
        let bytes = self.rest.as_bytes();
        let mut at = start;
        let end = loop {
            let found = bytes.get(at..).and_then(|rest| memchr::memchr3(b'"', b'\\', b'\n', rest));
            let Some(found) = found else { break None };
            at += found;
            match (bytes.get(at), block) {
                (Some(b'\\'), false) => at += 2,
                // In a block only its own end is escaped.
                (Some(b'\\'), true) if bytes.get(at..).is_some_and(|r| r.starts_with(b"\\\"\"\"")) => at += 4,
                (Some(b'"'), false) => break Some(at + 1),
                (Some(b'\n'), false) => break None,
                (Some(b'"'), true) if bytes.get(at..).is_some_and(|r| r.starts_with(b"\"\"\"")) => {
                    break Some(at + 3);
                }
                _ => at += 1,
            }
        };
        self.is_broken |= end.is_none();
        self.cut(end.unwrap_or(bytes.len()));
    }
}

impl<'d> Iterator for Tokens<'d> {
    type Item = Token<'d>;

    fn next(&mut self) -> Option<Token<'d>> {
        loop {
            let bytes = self.rest.as_bytes();
            let run = |of: fn(&u8) -> bool| bytes.iter().take_while(|b| of(b)).count();
            match bytes.first()? {
                b' ' | b'\t' | b'\r' | b'\n' | b',' => {
                    let length = run(|b| matches!(b, b' ' | b'\t' | b'\r' | b'\n' | b','));
                    self.cut(length);
                }
                0xEF if self.rest.starts_with('\u{FEFF}') => _ = self.cut(3),
                b'#' => {
                    let end = memchr::memchr2(b'\n', b'\r', bytes).unwrap_or(bytes.len());
                    self.cut(end);
                }
                b'_' | b'a'..=b'z' | b'A'..=b'Z' => {
                    let length = run(|b| b.is_ascii_alphanumeric() || *b == b'_');
                    return Some(Token::Name(self.cut(length)));
                }
                b'-' | b'0'..=b'9' => {
                    let length = run(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'+' | b'.'));
                    self.cut(length);
                    return Some(Token::Value);
                }
                b'"' => {
                    self.text();
                    return Some(Token::Value);
                }
                b'.' if bytes.starts_with(b"...") => {
                    self.cut(3);
                    return Some(Token::Spread);
                }
                mark if b"!$&():=@[]{|}".contains(mark) => {
                    let mark = *mark;
                    self.cut(1);
                    return Some(Token::Mark(mark));
                }
                _ => {
                    self.is_broken = true;
                    self.rest = "";
                }
            }
        }
    }
}
