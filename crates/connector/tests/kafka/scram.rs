//! The server's side of SCRAM (RFC 5802 section 3, RFC 7677), for one exchange.
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::{digest, hmac, pbkdf2};
use std::num::NonZeroU32;

const ITERATIONS: u32 = 4096;

/// What the server remembers between its two messages.
pub(crate) struct State {
    algorithm: hmac::Algorithm,
    salted: Vec<u8>,
    client_first_bare: String,
    server_first: String,
    /// The client named the right user.
    known: bool,
}

/// The server's first message upon the client's first.
pub(crate) fn challenge(
    first: &[u8],
    user: &str,
    password: &str,
    algorithm: hmac::Algorithm,
) -> (State, Vec<u8>) {
    let first = String::from_utf8(first.to_vec()).unwrap();
    let bare = first.strip_prefix("n,,").unwrap().to_owned();
    let attribute = |name: &str| bare.split(',').find_map(|part| part.strip_prefix(name)).unwrap().to_owned();
    let salt: [u8; 16] = std::array::from_fn(|_| fastrand::u8(..));
    let hash =
        if algorithm == hmac::HMAC_SHA256 { pbkdf2::PBKDF2_HMAC_SHA256 } else { pbkdf2::PBKDF2_HMAC_SHA512 };
    let mut salted = vec![0; algorithm.digest_algorithm().output_len()];
    pbkdf2::derive(hash, NonZeroU32::new(ITERATIONS).unwrap(), &salt, password.as_bytes(), &mut salted);
    let server_first = format!("r={}server,s={},i={ITERATIONS}", attribute("r="), STANDARD.encode(salt));
    let known = attribute("n=") == user;
    let answer = server_first.clone().into_bytes();
    (State { algorithm, salted, client_first_bare: bare, server_first, known }, answer)
}

/// The server's last message upon the client's last; nothing when the proof is wrong.
pub(crate) fn verify(state: &State, last: &[u8]) -> Option<Vec<u8>> {
    let last = String::from_utf8(last.to_vec()).ok()?;
    let (without_proof, proof) = last.rsplit_once(",p=")?;
    let sign =
        |key: &[u8], text: &[u8]| hmac::sign(&hmac::Key::new(state.algorithm, key), text).as_ref().to_vec();
    let client_key = sign(&state.salted, b"Client Key");
    let stored_key = digest::digest(state.algorithm.digest_algorithm(), &client_key);
    let message = format!("{},{},{without_proof}", state.client_first_bare, state.server_first);
    let signature = sign(stored_key.as_ref(), message.as_bytes());
    let expected: Vec<u8> = client_key.iter().zip(&signature).map(|(a, b)| a ^ b).collect();
    if !state.known || STANDARD.decode(proof).ok()? != expected {
        return None;
    }
    let server_key = sign(&state.salted, b"Server Key");
    Some(format!("v={}", STANDARD.encode(sign(&server_key, message.as_bytes()))).into_bytes())
}
