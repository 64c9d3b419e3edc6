//! Any bytes as a QUIC datagram, and as the frames inside an Initial packet that a client has sealed: nothing panics, what comes
//! out is bounded, and a ClientHello in pieces says what it says in one.
#![no_main]
use aes_gcm::aead::{AeadInOut as _, KeyInit as _};
use aes_gcm::aes::Aes128;
use aes_gcm::aes::cipher::BlockCipherEncrypt as _;
use aes_gcm::Aes128Gcm;
use harken_http::Quic;
use harken_http::quic::Reader;
use harken_wire::{Datagram, Encap, Ip, Timestamp};
use hkdf::Hkdf;
use libfuzzer_sys::fuzz_target;
use sha2::Sha256;

const DCID: [u8; 8] = *b"made up.";
const SALT: [u8; 20] = *b"\x38\x76\x2c\xf7\xf5\x59\x34\xb3\x4d\x17\x9a\xe6\xa4\xc8\x0c\xad\xcc\xbb\x7f\x0a";

fn expand<const N: usize>(secret: &Hkdf<Sha256>, name: &str) -> [u8; N] {
    let label = [&[0, N as u8, name.len() as u8 + 6], b"tls13 ".as_slice(), name.as_bytes(), &[0]].concat();
    let mut out = [0; N];
    secret.expand(&label, &mut out).expect("the length is allowed");
    out
}

/// The datagram of a client that sends these frames, RFC 9001 section 5.
fn sealed(frames: &[u8], number: u8) -> Vec<u8> {
    let initial = Hkdf::<Sha256>::new(Some(&SALT), &DCID);
    let secret = Hkdf::<Sha256>::from_prk(&expand::<32>(&initial, "client in")).expect("it is long enough");
    let mut payload = frames.to_vec();
    payload.resize(frames.len().max(1162), 0);
    let length = (payload.len() + 17) as u16 | 0x4000;
    let mut packet = vec![0xc0, 0, 0, 0, 1, DCID.len() as u8];
    packet.extend_from_slice(&DCID);
    packet.extend_from_slice(&[0, 0]);
    packet.extend_from_slice(&length.to_be_bytes());
    packet.push(number);
    let mut nonce = expand::<12>(&secret, "quic iv");
    nonce[11] ^= number;
    let cipher = Aes128Gcm::new(&expand::<16>(&secret, "quic key").into());
    let tag = cipher.encrypt_inout_detached(&nonce.into(), &packet, payload.as_mut_slice().into());
    payload.extend_from_slice(&tag.expect("the length is allowed"));
    let mut mask: [u8; 16] = payload[3..19].try_into().expect("it is longer");
    let mut block = mask.into();
    Aes128::new(&expand::<16>(&secret, "quic hp").into()).encrypt_block(&mut block);
    mask = block.into();
    packet[0] ^= mask[0] & 0x0f;
    let last = packet.len() - 1;
    packet[last] ^= mask[1];
    packet.extend_from_slice(&payload);
    packet
}

/// A CRYPTO frame.
fn crypto(offset: usize, bytes: &[u8]) -> Vec<u8> {
    let [offset, length] = [offset, bytes.len()].map(|n| (n as u32 | 0x8000_0000).to_be_bytes());
    [&[6], offset.as_slice(), &length, bytes].concat()
}

fn read(datagrams: &[Vec<u8>]) -> Option<Box<Quic>> {
    let mut reader = Reader::default();
    let mut told = None;
    for payload in datagrams {
        let (src, dst) = (Ip::v4([10, 0, 0, 1]), Ip::v4([10, 0, 0, 2]));
        let datagram = Datagram { src, dst, sport: 1, dport: 443, payload, encap: Encap::default() };
        let one = reader.datagram(Timestamp(1), &datagram);
        assert!(one.is_none() || told.is_none(), "a connection is told once");
        told = told.or(one);
    }
    reader.finish();
    let stats = reader.stats();
    assert_eq!(stats.hellos, u64::from(told.is_some()));
    assert!(stats.hellos + stats.unfinished <= stats.initials);
    told
}

fuzz_target!(|data: &[u8]| {
    read(&[data.to_vec()]);
    let Some((split, rest)) = data.split_first() else { return };
    // Any frames.
    read(&[sealed(rest, 0), sealed(rest, 1)]);
    // A ClientHello with these bytes in it.
    let hello = [&[1, 0], &(rest.len() as u16).to_be_bytes(), rest].concat();
    let at = hello.len() * usize::from(*split) / 255;
    let whole = read(&[sealed(&crypto(0, &hello), 0)]);
    let parts = [sealed(&crypto(0, &hello[..at]), 0), sealed(&crypto(at, &hello[at..]), 1)];
    assert_eq!(whole, read(&parts));
    let [first, second] = parts;
    assert_eq!(whole, read(&[second, first]));
    if let Some(quic) = whole {
        assert!(quic.server_name.is_none_or(|name| name.len() <= 3 * rest.len()));
    }
});
