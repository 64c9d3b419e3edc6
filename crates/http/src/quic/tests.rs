//! The keys of Initial packets, by the vectors of the RFC.
use super::keys::Keys;

/// RFC 9001, appendix A.1.
#[test]
fn keys_of_the_rfc() {
    let salt = b"\x38\x76\x2c\xf7\xf5\x59\x34\xb3\x4d\x17\x9a\xe6\xa4\xc8\x0c\xad\xcc\xbb\x7f\x0a";
    let keys = Keys::of_client(&0x8394_c8f0_3e51_5708_u64.to_be_bytes(), salt, "quic").unwrap();
    assert_eq!(keys.key, 0x1f36_9613_dd76_d546_7730_efcb_e3b1_a22d_u128.to_be_bytes());
    assert_eq!(keys.iv, 0xfa04_4b2f_42a3_fd3b_46fb_255c_u128.to_be_bytes()[4..]);
    assert_eq!(keys.header, 0x9f50_449e_04a0_e810_283a_1e99_33ad_edd2_u128.to_be_bytes());
    // Appendix A.2: the mask of the client's first packet.
    let mask = keys.mask(&0xd1b1_c98d_d768_9fb8_ec11_d242_b123_dc9b_u128.to_be_bytes());
    assert_eq!(mask[..5], [0x43, 0x7b, 0x9a, 0xec, 0x36]);
}
