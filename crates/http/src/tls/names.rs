//! Names as Zeek writes them in `ssl.log`.
use std::borrow::Cow;
use tls_parser::TlsCipherSuite;

/// The name of a cipher suite in the IANA registry.
pub fn cipher(id: u16) -> Option<&'static str> {
    TlsCipherSuite::from_id(id).map(|suite| suite.name)
}

/// The name of a version.
pub fn version(version: u16) -> Cow<'static, str> {
    Cow::Borrowed(match version {
        0x0002 => "SSLv2",
        0x0300 => "SSLv3",
        0x0301 => "TLSv10",
        0x0302 => "TLSv11",
        0x0303 => "TLSv12",
        0x0304 => "TLSv13",
        0x7f00..=0x7fff => return Cow::Owned(format!("TLSv13-draft{}", version & 0xff)),
        _ => return Cow::Owned(format!("unknown-{version}")),
    })
}

/// Names of groups (IANA's "TLS Supported Groups").
const CURVES: [(u16, &str); 34] = [
    (1, "sect163k1"),
    (2, "sect163r1"),
    (3, "sect163r2"),
    (6, "sect233k1"),
    (7, "sect233r1"),
    (9, "sect283k1"),
    (10, "sect283r1"),
    (11, "sect409k1"),
    (12, "sect409r1"),
    (13, "sect571k1"),
    (14, "sect571r1"),
    (15, "secp160k1"),
    (18, "secp192k1"),
    (19, "secp192r1"),
    (20, "secp224k1"),
    (21, "secp224r1"),
    (22, "secp256k1"),
    (23, "secp256r1"),
    (24, "secp384r1"),
    (25, "secp521r1"),
    (26, "brainpoolP256r1"),
    (27, "brainpoolP384r1"),
    (28, "brainpoolP512r1"),
    (29, "x25519"),
    (30, "x448"),
    (256, "ffdhe2048"),
    (257, "ffdhe3072"),
    (258, "ffdhe4096"),
    (259, "ffdhe6144"),
    (260, "ffdhe8192"),
    (4587, "SecP256r1MLKEM768"),
    (4588, "X25519MLKEM768"),
    (4589, "SecP384r1MLKEM1024"),
    (25497, "X25519Kyber768Draft00"),
];

/// The name of a group.
pub fn curve(id: u16) -> Cow<'static, str> {
    match CURVES.iter().find(|(known, _)| *known == id) {
        Some((_, name)) => Cow::Borrowed(name),
        None => Cow::Owned(format!("unknown-{id}")),
    }
}

/// Names of alerts (IANA's "TLS Alerts").
const ALERTS: [(u8, &str); 34] = [
    (0, "close_notify"),
    (10, "unexpected_message"),
    (20, "bad_record_mac"),
    (21, "decryption_failed"),
    (22, "record_overflow"),
    (30, "decompression_failure"),
    (40, "handshake_failure"),
    (41, "no_certificate"),
    (42, "bad_certificate"),
    (43, "unsupported_certificate"),
    (44, "certificate_revoked"),
    (45, "certificate_expired"),
    (46, "certificate_unknown"),
    (47, "illegal_parameter"),
    (48, "unknown_ca"),
    (49, "access_denied"),
    (50, "decode_error"),
    (51, "decrypt_error"),
    (60, "export_restriction"),
    (70, "protocol_version"),
    (71, "insufficient_security"),
    (80, "internal_error"),
    (86, "inappropriate_fallback"),
    (90, "user_canceled"),
    (100, "no_renegotiation"),
    (109, "missing_extension"),
    (110, "unsupported_extension"),
    (111, "certificate_unobtainable"),
    (112, "unrecognized_name"),
    (113, "bad_certificate_status_response"),
    (114, "bad_certificate_hash_value"),
    (115, "unknown_psk_identity"),
    (116, "certificate_required"),
    (120, "no_application_protocol"),
];

/// The name of an alert.
pub fn alert(description: u8) -> Cow<'static, str> {
    match ALERTS.iter().find(|(known, _)| *known == description) {
        Some((_, name)) => Cow::Borrowed(name),
        None => Cow::Owned(format!("unknown-{description}")),
    }
}
