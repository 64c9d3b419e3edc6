//! IEEE 802.1ah provider backbone bridge: a 4-byte I-TAG, then the customer's frame.
use super::{Next, Step};
use crate::Reason;

#[cold]
pub(crate) fn parse(bytes: &[u8]) -> Step<'_> {
    bytes.get(4..).map(|rest| (Next::Ethernet, rest)).ok_or(Reason::HeaderTruncated)
}
