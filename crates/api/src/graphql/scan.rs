//! From tokens to definitions.
use super::tokens::{Token, Tokens};
use super::{Definition, Document, MAX, MAX_DEPTH, keep};

/// Scans a text; `None` when it is no document: it must begin as one does, and have an operation with fields.
pub(super) fn document(text: &str) -> Option<Document> {
    let mut scan =
        Scan { tokens: Tokens::new(text), ahead: None, document: Document::default(), is_over: false };
    while let Some(token) = scan.next() {
        let kind = match token {
            Token::Mark(b'{') => {
                scan.back(token);
                "query"
            }
            Token::Name(word) => {
                ["query", "mutation", "subscription", "fragment"].into_iter().find(|k| *k == word)?
            }
            _ => return None,
        };
        scan.definition(kind)?;
        if scan.is_over || scan.document.operations.len() + scan.document.fragments.len() >= 2 * MAX {
            break;
        }
    }
    let mut document = scan.document;
    document.is_cut |= scan.tokens.is_broken;
    (!document.operations.is_empty()).then_some(document)
}

struct Scan<'d> {
    tokens: Tokens<'d>,
    /// A token that was read and is to be read again.
    ahead: Option<Token<'d>>,
    document: Document,
    /// The text has ended in the middle.
    is_over: bool,
}

impl<'d> Scan<'d> {
    fn next(&mut self) -> Option<Token<'d>> {
        self.ahead.take().or_else(|| self.tokens.next())
    }

    const fn back(&mut self, token: Token<'d>) {
        self.ahead = Some(token);
    }

    /// The next token, when it is this one.
    fn takes(&mut self, want: Token<'_>) -> bool {
        match self.next() {
            Some(token) if token == want => true,
            Some(token) => {
                self.back(token);
                false
            }
            None => false,
        }
    }

    /// The next token, when it is a name.
    fn name(&mut self) -> Option<&'d str> {
        match self.next()? {
            Token::Name(name) => Some(name),
            other => {
                self.back(other);
                None
            }
        }
    }

    /// An operation or a fragment, behind its keyword; `None` when it is neither.
    fn definition(&mut self, kind: &'static str) -> Option<()> {
        let name = self.name().map(str::to_owned);
        let is_fragment = kind == "fragment";
        if is_fragment && !(name.is_some() && self.name() == Some("on") && self.name().is_some()) {
            return None;
        }
        self.arguments();
        self.directives();
        if !self.takes(Token::Mark(b'{')) {
            // The text may have ended before the first field.
            self.is_over = self.next().is_none();
            return None;
        }
        let mut definition = Definition { kind, name, ..Definition::default() };
        let has_ended = self.selections(&mut definition)?;
        if definition.root_fields.is_empty() && definition.spreads.is_empty() {
            return None;
        }
        self.is_over = !has_ended;
        self.document.is_cut |= !has_ended;
        let list = if is_fragment { &mut self.document.fragments } else { &mut self.document.operations };
        if list.len() < MAX {
            list.push(definition);
        }
        Some(())
    }

    /// Passes over what stands in parentheses, if anything does.
    fn arguments(&mut self) {
        if !self.takes(Token::Mark(b'(')) {
            return;
        }
        let mut depth = 1_u32;
        while depth > 0 {
            match self.next() {
                Some(Token::Mark(b'(')) => depth = depth.saturating_add(1),
                Some(Token::Mark(b')')) => depth -= 1,
                Some(_) => {}
                None => return,
            }
        }
    }

    fn directives(&mut self) {
        while self.takes(Token::Mark(b'@')) {
            self.name();
            self.arguments();
        }
    }

    /// The fields behind an opening brace, down to where it closes; whether it does. `None` when they are none.
    fn selections(&mut self, definition: &mut Definition) -> Option<bool> {
        // Braces that are open: whether each is that of a field, since those of inline fragments nest no fields.
        let mut open = vec![true];
        // Fields above the current one: the depth of the fields here, less one.
        let mut depth = 0_u32;
        loop {
            match self.next() {
                None => return Some(false),
                Some(Token::Mark(b'}')) => {
                    depth -= u32::from(open.pop() == Some(true) && !open.is_empty()).min(depth);
                    if open.is_empty() {
                        return Some(true);
                    }
                }
                Some(Token::Spread) => {
                    let target = self.name();
                    if let Some(name) = target.filter(|name| *name != "on") {
                        if definition.spreads.len() < MAX {
                            definition.spreads.push((name.to_owned(), depth));
                        }
                        self.directives();
                        continue;
                    }
                    if target.is_some() {
                        self.name();
                    }
                    self.directives();
                    if self.takes(Token::Mark(b'{')) {
                        open.push(false);
                    }
                }
                Some(Token::Name(first)) => {
                    let mut name = first;
                    if self.takes(Token::Mark(b':')) {
                        self.document.aliases = self.document.aliases.saturating_add(1);
                        name = self.name().unwrap_or(first);
                    }
                    self.field(definition, name, depth);
                    if self.takes(Token::Mark(b'{')) {
                        open.push(true);
                        depth = depth.saturating_add(1);
                    }
                }
                Some(_) => return None,
            }
        }
    }

    fn field(&mut self, definition: &mut Definition, name: &str, depth: u32) {
        self.document.is_introspection |= matches!(name, "__schema" | "__type");
        definition.depth = definition.depth.max(depth.saturating_add(1)).min(MAX_DEPTH);
        if depth == 0 {
            keep(&mut definition.root_fields, name);
        }
        self.arguments();
        self.directives();
    }
}
