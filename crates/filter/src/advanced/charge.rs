//! What loops cost is taken from a budget: expressions are wrapped so that their values are charged for.

use super::compiler::Compiler;
use super::functions::name;
use super::slots::Slot;
use super::types::Type;
use cel::common::ast::{CallExpr, EntryExpr, Expr, IdedExpr, LiteralValue};

/// In a loop a value that may be large takes its size from the budget.
pub(crate) fn value(compiler: &mut Compiler<'_>, expr: &mut IdedExpr, is: Type) {
    let constant = matches!(&expr.expr, Expr::Literal(_));
    // The accumulator of `map` and `filter`, which the library appends to in place.
    let accumulator = matches!(&expr.expr, Expr::Ident(name) if name.starts_with('@'));
    // `@result + [x]` must stay as it is to be known for appending; its element was charged.
    let list = matches!(&expr.expr, Expr::List(_));
    let slot = match &expr.expr {
        Expr::Ident(name) => name.strip_prefix('#').and_then(|number| number.parse::<usize>().ok()),
        _ => None,
    };
    let ready = slot.is_some_and(|slot| matches!(compiler.slots.get(slot), Some(Slot::Constant(_))));
    if !(is.is_small() || constant || accumulator || list || ready) {
        charged(compiler, expr, None);
    }
}

/// The list that a loop goes over is charged for, as often as the loop evaluates something for each element.
pub(crate) fn range(compiler: &mut Compiler<'_>, range: &mut IdedExpr, inside: [&IdedExpr; 2]) {
    charged(compiler, range, Some(inside.into_iter().map(parts).sum()));
}

/// Wraps an expression so that its value is charged for, as often as `times` says.
fn charged(compiler: &mut Compiler<'_>, expr: &mut IdedExpr, times: Option<i64>) {
    let inner = std::mem::take(expr);
    let id = inner.id;
    let times = times.map(|times| Expr::Literal(LiteralValue::Int(times.into())));
    let budget = compiler.slot(Slot::Budget);
    let before = std::iter::once(budget).chain(times).map(|expr| IdedExpr { id, expr });
    *expr = IdedExpr { id, expr: call(name::CHARGED, before.chain([inner]).collect()) };
}

/// The parts of an expression, each of which is evaluated at most once but in loops.
fn parts(expr: &IdedExpr) -> i64 {
    let all = |exprs: &[IdedExpr]| exprs.iter().map(parts).sum::<i64>();
    1 + match &expr.expr {
        Expr::Call(call) => call.target.as_deref().map_or(0, parts) + all(&call.args),
        Expr::Select(select) => parts(&select.operand),
        Expr::List(list) => all(&list.elements),
        Expr::Map(map) => map
            .entries
            .iter()
            .map(|entry| match &entry.expr {
                EntryExpr::MapEntry(entry) => parts(&entry.key) + parts(&entry.value),
                EntryExpr::StructField(field) => parts(&field.value),
            })
            .sum(),
        // What is in an inner loop is charged for when that begins.
        Expr::Comprehension(inner) => {
            parts(&inner.iter_range) + parts(&inner.accu_init) + parts(&inner.result)
        }
        Expr::Struct(_) | Expr::Ident(_) | Expr::Literal(_) | Expr::Unspecified => 0,
    }
}

/// A call of a function by its arguments.
pub(crate) fn call(name: &str, args: Vec<IdedExpr>) -> Expr {
    Expr::Call(CallExpr { func_name: name.to_owned(), target: None, args })
}
