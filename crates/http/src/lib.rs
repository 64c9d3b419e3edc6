//! From ordered bytes to HTTP messages, and from messages to request/response pairs.
//!
//! Bytes and packet time in, [`Exchange`] values out: no clock, no file, no socket. An [`Analyzer`] serves
//! all connections of a shard; a [`Conn`] is the state of one.
#![forbid(unsafe_code)]

mod analyzer;
pub mod body;
mod conn;
mod cursor;
pub mod exchange;
pub mod h1;
mod h2;
mod held;
pub mod message;
pub mod probe;
mod protocol;
pub mod proxy;
pub mod quic;
pub mod tls;
pub mod websocket;

pub use analyzer::{Analyzer, Limits, Stats};
pub use conn::Conn;
pub use exchange::{Exchange, Informational, Pairing, Seen};
pub use message::{
    Body, BodyGap, Coding, Completeness, Desync, Field, Framing, Known, Message, Span, Version, Why,
};
pub use protocol::Protocol;
pub use quic::Quic;
pub use tls::Tls;
pub use websocket::WebSocket;
