//! HTTP/2 in the clear, RFC 9113, from its beginning or from wherever it was joined.
pub(crate) mod conn;
pub(crate) mod frame;
mod greeting;
mod hpack;
mod huffman;
mod message;
mod side;
mod table;

#[cfg(test)]
mod tests;
