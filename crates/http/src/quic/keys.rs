//! Keys of Initial packets, RFC 9001 section 5.
use aes_gcm::aead::{AeadInOut as _, KeyInit as _};
use aes_gcm::aes::Aes128;
use aes_gcm::aes::cipher::BlockCipherEncrypt as _;
use aes_gcm::{Aes128Gcm, Tag};
use hkdf::Hkdf;
use sha2::Sha256;

/// What a client protects its Initial packets with.
pub(super) struct Keys {
    pub(super) key: [u8; 16],
    pub(super) iv: [u8; 12],
    pub(super) header: [u8; 16],
}

/// Bytes of the tag behind what is encrypted.
pub(super) const TAG: usize = 16;

impl Keys {
    /// Those that follow from the connection identifier which the client has made up, with the salt of the version and the
    /// first word of its labels.
    pub(super) fn of_client(dcid: &[u8], salt: &[u8], word: &str) -> Option<Self> {
        let initial = Hkdf::<Sha256>::new(Some(salt), dcid);
        let mut secret = [0; 32];
        initial.expand(&label("client in", 32), &mut secret).ok()?;
        let secret = Hkdf::<Sha256>::from_prk(&secret).ok()?;
        let mut keys = Self { key: [0; 16], iv: [0; 12], header: [0; 16] };
        secret.expand(&label(&format!("{word} key"), 16), &mut keys.key).ok()?;
        secret.expand(&label(&format!("{word} iv"), 12), &mut keys.iv).ok()?;
        secret.expand(&label(&format!("{word} hp"), 16), &mut keys.header).ok()?;
        Some(keys)
    }

    /// The mask of a header, from a sample of what is encrypted (section 5.4.3).
    pub(super) fn mask(&self, sample: &[u8; 16]) -> [u8; 16] {
        let mut block = (*sample).into();
        Aes128::new(&self.header.into()).encrypt_block(&mut block);
        block.into()
    }

    /// Decrypts a payload in place; false where it is not this client's.
    pub(super) fn open(&self, number: u32, header: &[u8], payload: &mut [u8], tag: &[u8; TAG]) -> bool {
        let mut nonce = self.iv;
        for (byte, number) in nonce.iter_mut().rev().zip(number.to_be_bytes().into_iter().rev()) {
            *byte ^= number;
        }
        let tag = Tag::from(*tag);
        Aes128Gcm::new(&self.key.into())
            .decrypt_inout_detached(&nonce.into(), header, payload.into(), &tag)
            .is_ok()
    }
}

/// `HkdfLabel` of TLS 1.3 without a context, RFC 8446 section 7.1.
fn label(name: &str, length: u16) -> Vec<u8> {
    let name = format!("tls13 {name}");
    let mut label = length.to_be_bytes().to_vec();
    label.push(name.len() as u8);
    label.extend_from_slice(name.as_bytes());
    label.push(0);
    label
}
