//! What is wrong with an expression, and the character of it at which it is wrong.

use cel::common::ast::SourceInfo;

/// What is wrong with an expression, and the character of it at which it is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wrong {
    pub(crate) at: usize,
    pub(crate) message: String,
}

/// Where the parts of an expression stand.
pub(crate) struct Places(pub(crate) SourceInfo);

impl Places {
    /// The character by which a part is known: of a call its bracket, of a field its dot, of an operator its sign.
    fn start(&self, id: u64) -> usize {
        self.0.offset_for(id).map_or(0, |(start, _)| start as usize)
    }

    /// An error at a part.
    pub(crate) fn wrong<T>(&self, id: u64, message: impl Into<String>) -> Result<T, Wrong> {
        Err(Wrong { at: self.start(id), message: message.into() })
    }

    /// An error at the name of a field, which stands behind the dot that the expression is known by.
    pub(crate) fn wrong_field<T>(&self, id: u64, field: &str, message: String) -> Result<T, Wrong> {
        let start = self.start(id);
        let rest: String = self.0.source.chars().skip(start).collect();
        let behind =
            rest.find(field).and_then(|at| rest.get(..at)).map_or(0, |before| before.chars().count());
        Err(Wrong { at: start + behind, message })
    }

    /// An error at the name of a function, which stands before the bracket that its call is known by.
    pub(crate) fn wrong_call<T>(&self, id: u64, name: &str, message: String) -> Result<T, Wrong> {
        let start = self.start(id);
        let before: String = self.0.source.chars().take(start).collect();
        let named = before
            .rfind(name)
            .filter(|at| before.get(at + name.len()..).is_some_and(|gap| gap.trim().is_empty()));
        let at = named.and_then(|at| before.get(..at)).map_or(start, |before| before.chars().count());
        Err(Wrong { at, message })
    }
}

/// The first error of the parser that says something.
pub(crate) fn parse_error(text: &str, errors: &cel::ParseErrors) -> Wrong {
    let Some(first) = errors.errors.iter().find(|error| error.pos.0 > 0).or_else(|| errors.errors.first())
    else {
        return Wrong { at: 0, message: "cannot be parsed".to_owned() };
    };
    let (line, column) =
        (usize::try_from(first.pos.0).unwrap_or(1), usize::try_from(first.pos.1).unwrap_or(1));
    let before: usize =
        text.split_inclusive('\n').take(line.saturating_sub(1)).map(|line| line.chars().count()).sum();
    let at = (before + column.saturating_sub(1)).min(text.chars().count());
    // "Syntax error: mismatched input '<EOF>' expecting {...}": the list of tokens helps nobody.
    let message = first.msg.split(" expecting").next().unwrap_or_default();
    let message = if message.contains("'<EOF>'") { "it ends too early" } else { message };
    Wrong { at, message: format!("cannot be parsed: {}", message.trim_start_matches("Syntax error: ")) }
}
