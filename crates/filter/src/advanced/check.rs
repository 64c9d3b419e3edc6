//! An expression is checked against the fields of the event, and rewritten to ask for slots.
//!
//! It calls itself as deep as the expression is nested, which the parser limits.

use super::charge::{self, call};
use super::compiler::Compiler;
use super::constants;
use super::fields::{Field, Step, nearest};
use super::functions::name;
use super::place::{Places, Wrong};
use super::slots::Slot;
use super::types::{self, Type};
use cel::common::ast::{CallExpr, EntryExpr, Expr, IdedExpr, LiteralValue, operators as op};

/// The variable that is the time of the event, which CEL cannot name.
const TIME: &str = "time";

/// What is known of a part of an expression.
#[derive(Clone, Copy)]
struct Known<'r> {
    is: Type,
    field: Option<&'r Field>,
}

impl From<Type> for Known<'_> {
    fn from(is: Type) -> Self {
        Self { is, field: None }
    }
}

impl<'r> From<&'r Field> for Known<'r> {
    fn from(field: &'r Field) -> Self {
        Self { is: Type::of(field), field: Some(field) }
    }
}

/// One expression while it is checked.
pub(crate) struct Check<'c, 'r> {
    compiler: &'c mut Compiler<'r>,
    places: Places,
    /// Variables of the loops around.
    scope: Vec<(String, Known<'r>)>,
    loops: usize,
}

impl<'c, 'r> Check<'c, 'r> {
    /// A check of the expression whose parts stand there.
    pub(crate) const fn new(compiler: &'c mut Compiler<'r>, places: Places) -> Self {
        Self { compiler, places, scope: Vec::new(), loops: 0 }
    }

    /// Checks and rewrites the whole expression; says of which type its value is.
    pub(crate) fn run(mut self, expr: &mut IdedExpr) -> Result<Type, Wrong> {
        self.walk(expr).map(|known| known.is)
    }

    /// In a loop a value that may be large takes its size from the budget.
    fn charge(&mut self, expr: &mut IdedExpr, known: Known<'_>) {
        if self.loops > 0 {
            charge::value(self.compiler, expr, known.is);
        }
    }

    fn in_scope(&self, name: &str) -> Option<Known<'r>> {
        self.scope.iter().rev().find(|(known, _)| known == name).map(|(_, known)| *known)
    }

    /// The path that a chain of fields and constant indexes spells, each step with the expression it ends.
    fn path(&self, expr: &IdedExpr) -> Option<Vec<(Step, u64)>> {
        let mut steps = Vec::new();
        let mut expr = expr;
        loop {
            expr = match &expr.expr {
                Expr::Ident(name) => {
                    let Field::Object(fields) = self.compiler.root else { return None };
                    let is_field = fields.contains_key(name) && self.in_scope(name).is_none();
                    steps.push((Step::Key(name.clone()), expr.id));
                    steps.reverse();
                    return is_field.then_some(steps);
                }
                Expr::Select(select) if !select.test => {
                    steps.push((Step::Key(select.field.clone()), expr.id));
                    &select.operand
                }
                Expr::Call(CallExpr { func_name, args, target: None }) if func_name == op::INDEX => {
                    let [inner, index] = args.as_slice() else { return None };
                    let step = match &index.expr {
                        Expr::Literal(LiteralValue::String(name)) => Step::Key(name.inner().to_owned()),
                        Expr::Literal(LiteralValue::Int(number)) => {
                            Step::Index(usize::try_from(*number.inner()).ok()?)
                        }
                        _ => return None,
                    };
                    steps.push((step, index.id));
                    inner
                }
                _ => return None,
            };
        }
    }

    /// The field at a path.
    fn field(&self, path: &[(Step, u64)]) -> Result<&'r Field, Wrong> {
        path.iter().try_fold(self.compiler.root, |field, (step, id)| {
            field.step(step).or_else(|message| match step {
                Step::Key(name) => self.places.wrong_field(*id, name, message),
                Step::Index(_) => self.places.wrong(*id, message),
            })
        })
    }

    fn walk(&mut self, expr: &mut IdedExpr) -> Result<Known<'r>, Wrong> {
        if let Some(path) = self.path(expr) {
            let field = self.field(&path)?;
            expr.expr = self.compiler.slot(Slot::Path(path.into_iter().map(|(step, _)| step).collect()));
            return Ok(field.into());
        }
        let id = expr.id;
        match &mut expr.expr {
            Expr::Literal(literal) => Ok(Known::from(match literal {
                LiteralValue::Boolean(_) => Type::Bool,
                LiteralValue::Bytes(_) => Type::Bytes,
                LiteralValue::Double(_) => Type::Double,
                LiteralValue::Int(_) => Type::Int,
                LiteralValue::Null => Type::Null,
                LiteralValue::String(_) => Type::Text,
                LiteralValue::UInt(_) => Type::Uint,
            })),
            Expr::Ident(name) => {
                let name = name.clone();
                self.ident(id, &name, expr)
            }
            Expr::Select(select) if select.test => {
                if let Some(mut path) = self.path(&select.operand) {
                    path.push((Step::Key(select.field.clone()), id));
                    self.field(&path)?;
                    expr.expr =
                        self.compiler.slot(Slot::Has(path.into_iter().map(|(step, _)| step).collect()));
                } else {
                    let operand = self.walk(&mut select.operand)?;
                    self.select(id, operand, &select.field)?;
                }
                Ok(Type::Bool.into())
            }
            Expr::Select(select) => {
                let operand = self.walk(&mut select.operand)?;
                self.select(id, operand, &select.field)
            }
            Expr::List(list) => {
                for element in &mut list.elements {
                    let known = self.walk(element)?;
                    self.charge(element, known);
                }
                Ok(Type::List.into())
            }
            Expr::Map(map) => {
                for entry in &mut map.entries {
                    if let EntryExpr::MapEntry(entry) = &mut entry.expr {
                        self.walk(&mut entry.key)?;
                        let known = self.walk(&mut entry.value)?;
                        self.charge(&mut entry.value, known);
                    }
                }
                Ok(Type::Map.into())
            }
            Expr::Call(_) => self.call(expr),
            Expr::Comprehension(_) => self.comprehension(expr),
            Expr::Struct(message) => {
                let message = format!("there is no message '{}'", message.type_name);
                self.places.wrong(id, message)
            }
            Expr::Unspecified => self.places.wrong(id, "cannot be parsed"),
        }
    }

    fn ident(&mut self, id: u64, name: &str, expr: &mut IdedExpr) -> Result<Known<'r>, Wrong> {
        if let Some(known) = self.in_scope(name) {
            return Ok(known);
        }
        let Field::Object(fields) = self.compiler.root else { return Ok(Type::Dyn.into()) };
        if name == TIME && fields.contains_key("@timestamp") {
            let path = self.compiler.slot(Slot::Path(vec![Step::Key("@timestamp".to_owned())]));
            let argument = IdedExpr { id, expr: path };
            expr.expr = call("timestamp", vec![argument]);
            return Ok(Type::Timestamp.into());
        }
        let types = [
            "bool",
            "bytes",
            "double",
            "duration",
            "int",
            "list",
            "map",
            "null_type",
            "string",
            "timestamp",
            "type",
            "uint",
        ];
        if types.contains(&name) {
            return Ok(Type::OfTypes.into());
        }
        let time = [TIME.to_owned()];
        let known = fields.keys().filter(|name| *name != "@timestamp").chain(&time);
        self.places.wrong(id, format!("there is no variable '{name}'{}", nearest(name, known)))
    }

    fn select(&self, id: u64, operand: Known<'r>, field: &str) -> Result<Known<'r>, Wrong> {
        if let Some(known) = operand.field {
            let inner = known.step(&Step::Key(field.to_owned()));
            return inner.map(Known::from).or_else(|message| self.places.wrong_field(id, field, message));
        }
        match operand.is {
            Type::Map | Type::Dyn => Ok(Type::Dyn.into()),
            other => self.places.wrong_field(id, field, format!("{} has no field '{field}'", other.name())),
        }
    }

    fn call(&mut self, expr: &mut IdedExpr) -> Result<Known<'r>, Wrong> {
        let id = expr.id;
        let Expr::Call(call) = &mut expr.expr else { return Ok(Type::Dyn.into()) };
        if let Some(slot) = self.header(call) {
            expr.expr = self.compiler.slot(slot);
            return Ok(Type::Text.into());
        }
        let mut known = Vec::new();
        for argument in call.target.iter_mut().map(|target| &mut **target).chain(&mut call.args) {
            known.push(self.walk(argument)?);
        }
        let types: Vec<Type> = known.iter().map(|known| known.is).collect();
        let is_operator = types::operator(&call.func_name, &types);
        let result = match is_operator {
            Some(Some(result)) => result,
            Some(None) => {
                let names: Vec<&str> = types.iter().map(|of| of.name()).collect();
                let message =
                    format!("'{}' does not take {}", types::sign(&call.func_name), names.join(" and "));
                return self.places.wrong(id, message);
            }
            None => match types::function(&call.func_name, call.target.is_some(), &types) {
                Ok(result) => result,
                Err(message) => return self.places.wrong_call(id, &call.func_name, message),
            },
        };
        self.constant(call)?;
        // What decides without looking at its values, and what the library builds its loops of, is not
        // charged.
        let free =
            [op::LOGICAL_AND, op::LOGICAL_OR, op::LOGICAL_NOT, op::CONDITIONAL, op::NOT_STRICTLY_FALSE];
        if !free.contains(&call.func_name.as_str()) {
            let arguments = call.target.iter_mut().map(|target| &mut **target).chain(&mut call.args);
            for (argument, known) in arguments.zip(&known) {
                self.charge(argument, *known);
            }
        }
        let element = match (call.func_name.as_str(), known.first().and_then(|known| known.field)) {
            (op::INDEX, Some(Field::List(element))) => Some(&**element),
            _ => None,
        };
        Ok(element.map_or(result.into(), Known::from))
    }

    /// `header(http.request.headers, 'name')` is a slot: the list is not converted for it.
    fn header(&self, call: &CallExpr) -> Option<Slot> {
        let [list, name] = call.args.as_slice() else { return None };
        let Expr::Literal(LiteralValue::String(name)) = &name.expr else { return None };
        let path = self.path(list).filter(|_| call.func_name == "header" && call.target.is_none())?;
        let is_list = matches!(self.field(&path), Ok(Field::List(_)));
        let path = path.into_iter().map(|(step, _)| step).collect();
        is_list.then(|| Slot::Header(path, name.inner().to_owned()))
    }

    /// Networks and patterns are made ready when the expression is compiled.
    fn constant(&mut self, call: &mut CallExpr) -> Result<(), Wrong> {
        let (to, make): (_, constants::Make) = match call.func_name.as_str() {
            "inNetwork" => (name::IN_NETWORK, constants::networks),
            "glob" => (name::GLOB, constants::globs),
            "matches" => (name::MATCHES, constants::regex),
            _ => return Ok(()),
        };
        let Some(last) = call.args.last_mut() else { return Ok(()) };
        let literal = |expr: &IdedExpr| match &expr.expr {
            Expr::Literal(LiteralValue::String(text)) => Some(text.inner().to_owned()),
            _ => None,
        };
        let texts = match &last.expr {
            Expr::List(list) if to != name::MATCHES => {
                list.elements.iter().map(literal).collect::<Option<Vec<_>>>()
            }
            _ => literal(last).map(|text| vec![text]),
        };
        let Some(texts) = texts else {
            let message = format!(
                "{} takes text that stands in the expression here, no value of the event",
                call.func_name
            );
            return self.places.wrong(last.id, message);
        };
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        match make(&texts) {
            Ok(value) => last.expr = self.compiler.slot(Slot::Constant(value)),
            Err(message) => return self.places.wrong(last.id, message),
        }
        call.func_name = to.to_owned();
        call.args.splice(..0, call.target.take().map(|target| *target));
        Ok(())
    }

    fn comprehension(&mut self, expr: &mut IdedExpr) -> Result<Known<'r>, Wrong> {
        let Expr::Comprehension(all) = &mut expr.expr else { return Ok(Type::Dyn.into()) };
        let range = self.walk(&mut all.iter_range)?;
        let element = match (range.field, range.is) {
            (Some(Field::List(element)), _) => Known::from(&**element),
            (_, Type::List | Type::Dyn) => Type::Dyn.into(),
            (_, Type::Map) => Type::Dyn.into(),
            (_, other) => {
                return self
                    .places
                    .wrong(all.iter_range.id, format!("{} has no elements to go over", other.name()));
            }
        };
        if self.compiler.root.step(&Step::Key(all.iter_var.clone())).is_ok() {
            let message = format!(
                "'{}' is a part of the event: give the variable of the loop another name",
                all.iter_var
            );
            return self.places.wrong(expr.id, message);
        }
        charge::range(self.compiler, &mut all.iter_range, [&all.loop_cond, &all.loop_step]);
        let accumulator = self.walk(&mut all.accu_init)?;
        let outside = self.scope.len();
        self.scope.push((all.accu_var.clone(), accumulator));
        self.scope.push((all.iter_var.clone(), element));
        self.loops += 1;
        let inside = self.walk(&mut all.loop_cond).and_then(|_| self.walk(&mut all.loop_step));
        self.loops -= 1;
        self.scope.truncate(outside + 1);
        let result = inside.and_then(|_| self.walk(&mut all.result));
        self.scope.truncate(outside);
        result.map(|known| known.is.into())
    }
}
