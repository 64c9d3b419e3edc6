//! Compiles expressions, which share their slots.

use super::check::Check;
use super::fields::Field;
use super::place::{Places, Wrong, parse_error};
use super::slots::Slot;
use super::types::Type;
use cel::common::ast::{Expr, IdedExpr};

/// The most bytes of an expression.
const LONGEST: usize = 8 * 1024;
/// The most calls, operators and brackets inside each other.
const DEEPEST: u16 = 48;
/// Compiles expressions; all of them share their slots.
pub(crate) struct Compiler<'r> {
    pub(crate) root: &'r Field,
    pub(crate) slots: Vec<Slot>,
}

impl<'r> Compiler<'r> {
    /// A compiler for events with these fields.
    pub(crate) const fn new(root: &'r Field) -> Self {
        Self { root, slots: Vec::new() }
    }

    /// Compiles an expression; says of which type its value is.
    ///
    /// # Errors
    /// The first thing that is wrong with it.
    pub(crate) fn compile(&mut self, text: &str) -> Result<(IdedExpr, Type), Wrong> {
        if text.len() > LONGEST {
            return Err(Wrong {
                at: LONGEST,
                message: format!("longer than {LONGEST} bytes: split the rule"),
            });
        }
        let parser = cel::parser::Parser::new().max_recursion_depth(DEEPEST).enable_ident_escape_syntax(true);
        let (mut expr, source) =
            parser.parse_with_source_info(text).map_err(|errors| parse_error(text, &errors))?;
        let is = Check::new(self, Places(source)).run(&mut expr)?;
        Ok((expr, is))
    }

    /// The identifier that asks for a slot.
    pub(crate) fn slot(&mut self, slot: Slot) -> Expr {
        let known = self.slots.iter().position(|other| other.same(&slot));
        let number = known.unwrap_or_else(|| {
            self.slots.push(slot);
            self.slots.len() - 1
        });
        Expr::Ident(format!("#{number}"))
    }
}
