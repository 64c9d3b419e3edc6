//! User names out of HTTP's Basic authentication, RFC 7617. The password is never kept.
use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

/// Takes what clients send: with or without padding, with stray bits at the end.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// What is logged as user name when the credentials cannot be read; Zeek's words, without the credentials
/// that it puts behind them.
const UNREADABLE: &[u8] = b"<problem-decoding>";

/// The credentials of a value with the scheme `Basic`.
pub(crate) fn basic_credentials(value: &[u8]) -> Option<&[u8]> {
    let (scheme, rest) = value.split_at_checked(6)?;
    scheme.eq_ignore_ascii_case(b"basic ").then(|| rest.trim_ascii())
}

/// The user name in Basic credentials, put into `scratch`.
pub(crate) fn user_name<'s>(credentials: &[u8], scratch: &'s mut Vec<u8>) -> &'s [u8] {
    scratch.clear();
    if LENIENT.decode_vec(credentials, scratch).is_err() {
        return UNREADABLE;
    }
    match memchr::memchr(b':', scratch) {
        Some(colon) => scratch.get(..colon).unwrap_or_default(),
        None => UNREADABLE,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for (value, want) in [
            ("Basic dGVzdDp0ZXN0", Some("test")),
            ("basic  dGVzdDp0ZXN0", Some("test")),
            ("BASIC QWxhZGRpbjpvcGVuIHNlc2FtZQ==", Some("Aladdin")),
            ("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ", Some("Aladdin")),
            ("Basic dGVzdDpmdWU6bGFsYQ==", Some("test")),
            ("Basic OnNlY3JldA==", Some("")),
            ("Basic dGVzdA==", Some("<problem-decoding>")),
            ("Basic *", Some("<problem-decoding>")),
            ("Bearer abc", None),
            ("Basic", None),
            ("", None),
        ] {
            let mut scratch = Vec::new();
            let got = basic_credentials(value.as_bytes()).map(|c| user_name(c, &mut scratch).to_vec());
            assert_eq!(got.as_deref(), want.map(str::as_bytes), "{value}");
        }
    }
}
