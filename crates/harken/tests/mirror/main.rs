//! `harken mirror` from end to end, against a fake of AWS that checks each request by AWS's own model and keeps the limits
//! that AWS documents (`crates/mirror/tests/fake`). What there is afterwards is asked of the fake.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test stops by panicking"
)]
#![allow(clippy::needless_pass_by_value, reason = "a literal reads better without a reference")]
#[path = "../../../mirror/tests/support/mod.rs"]
mod fake;
#[path = "../support/mod.rs"]
mod support;

mod credentials;
mod estate;
mod exports;
mod faults;
mod foreign;
mod life;
mod verify;
