//! The columns of a log: one table gives names, order and types to both forms.

/// Type of a column, as Zeek's `#types` line names it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Seconds since 1970.
    Time,
    /// Seconds.
    Interval,
    /// Text.
    String,
    /// IP address.
    Addr,
    /// Port number.
    Port,
    /// Unsigned number.
    Count,
    /// Number with a fraction.
    Double,
    /// `T` or `F`.
    Bool,
    /// A name out of a fixed list.
    Enum,
    /// Names out of a fixed list, without order.
    SetEnum,
    /// Texts without order.
    SetString,
    /// Texts in order.
    VectorString,
}

impl Kind {
    /// Zeek's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Time => "time",
            Self::Interval => "interval",
            Self::String => "string",
            Self::Addr => "addr",
            Self::Port => "port",
            Self::Count => "count",
            Self::Double => "double",
            Self::Bool => "bool",
            Self::Enum => "enum",
            Self::SetEnum => "set[enum]",
            Self::SetString => "set[string]",
            Self::VectorString => "vector[string]",
        }
    }
}

/// One column of a log.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Column {
    /// Its name, in both forms.
    pub name: &'static str,
    /// Its type.
    pub kind: Kind,
    /// What stands before its value in a JSON line, from the second column on.
    pub(crate) key: &'static str,
}

/// Declares the columns of a log, in order: a constant each, and the table of them all, with `$first` before
/// them.
macro_rules! columns_after {
    ([$($first:ident)*] $($ident:ident $name:literal $kind:ident,)*) => {
        $(pub(crate) const $ident: $crate::zeek::column::Column = $crate::zeek::column::Column {
            name: $name,
            kind: $crate::zeek::column::Kind::$kind,
            key: concat!(",\"", $name, "\":"),
        };)*
        /// All columns, in the order in which they are written.
        pub const COLUMNS: &[$crate::zeek::column::Column] =
            &[$($crate::zeek::column::$first,)* $($ident,)*];
    };
}
pub(crate) use columns_after;

/// Columns behind those that all logs of connections begin with.
macro_rules! columns {
    ($($column:tt)*) => {
        $crate::zeek::column::columns_after! { [TS UID ORIG_H ORIG_P RESP_H RESP_P] $($column)* }
    };
}
pub(crate) use columns;

/// Columns behind the time, of a log that is not about connections.
macro_rules! plain_columns {
    ($($column:tt)*) => { $crate::zeek::column::columns_after! { [TS] $($column)* } };
}
pub(crate) use plain_columns;

/// Time of the record.
pub(crate) const TS: Column = Column { name: "ts", kind: Kind::Time, key: "{\"ts\":" };
/// Identifier of the connection.
pub(crate) const UID: Column = Column { name: "uid", kind: Kind::String, key: ",\"uid\":" };
/// The originator's address.
pub(crate) const ORIG_H: Column = Column { name: "id.orig_h", kind: Kind::Addr, key: ",\"id.orig_h\":" };
/// The originator's port.
pub(crate) const ORIG_P: Column = Column { name: "id.orig_p", kind: Kind::Port, key: ",\"id.orig_p\":" };
/// The responder's address.
pub(crate) const RESP_H: Column = Column { name: "id.resp_h", kind: Kind::Addr, key: ",\"id.resp_h\":" };
/// The responder's port.
pub(crate) const RESP_P: Column = Column { name: "id.resp_p", kind: Kind::Port, key: ",\"id.resp_p\":" };
