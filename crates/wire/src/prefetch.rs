//! Telling the processor what is going to be read.
//!
//! With tens of thousands of connections, what is kept of them does not fit the caches, and a packet's time
//! goes into waiting for memory. Whoever knows some packets ahead what they will need asks for it here, and the
//! memory comes while other work is done.

/// Asks for the cache line in which `value` begins. Nothing waits for it and nothing depends on it; on
/// processors other than x86-64 it does nothing.
#[inline]
pub fn prefetch<T>(value: &T) {
    #[cfg(target_arch = "x86_64")]
    safe_arch::prefetch_t0(value);
    #[cfg(not(target_arch = "x86_64"))]
    let _ = value;
}
