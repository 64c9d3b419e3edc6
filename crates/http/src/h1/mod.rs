//! HTTP/1.x and HTTP/0.9.
pub(crate) mod bytes;
pub(crate) mod chunked;
pub mod conn;
pub(crate) mod framing;
pub mod head;
pub(crate) mod pairing;
mod row;
mod side;
