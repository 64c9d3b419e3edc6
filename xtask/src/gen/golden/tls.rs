//! TLS 1.3 records (RFC 8446) that look right from outside; there is no key behind them.

const HANDSHAKE: u8 = 22;
const APPLICATION_DATA: u8 = 23;
const CLIENT_HELLO: u8 = 1;
const SERVER_HELLO: u8 = 2;

/// Bytes that look random.
fn noise(length: usize, seed: u8) -> Vec<u8> {
    (0..length as u32).map(|n| ((n + u32::from(seed)).wrapping_mul(2_654_435_761) >> 23) as u8).collect()
}

fn record(kind: u8, version: u8, body: &[u8]) -> Vec<u8> {
    let mut record = vec![kind, 3, version];
    record.extend((body.len() as u16).to_be_bytes());
    record.extend(body);
    record
}

fn handshake(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut message = (body.len() as u32).to_be_bytes();
    message[0] = kind;
    [message.as_slice(), body].concat()
}

fn extension(kind: u16, body: &[u8]) -> Vec<u8> {
    [kind.to_be_bytes().as_slice(), &(body.len() as u16).to_be_bytes(), body].concat()
}

/// With its length before it, in two bytes.
fn vector(body: &[u8]) -> Vec<u8> {
    [(body.len() as u16).to_be_bytes().as_slice(), body].concat()
}

/// A hello for this server name, offering HTTP/2 and HTTP/1.1.
pub(super) fn client_hello(server_name: &str) -> Vec<u8> {
    let name = [&[0], vector(server_name.as_bytes()).as_slice()].concat();
    let key = [&[0, 0x1d], vector(&noise(32, 3)).as_slice()].concat();
    let extensions = [
        extension(0, &vector(&name)),
        extension(10, &vector(&[0, 0x1d, 0, 0x17])),
        extension(13, &vector(&[4, 3, 8, 4, 4, 1])),
        extension(16, &vector(b"\x02h2\x08http/1.1")),
        extension(43, &[4, 3, 4, 3, 3]),
        extension(51, &vector(&key)),
    ]
    .concat();
    let suites = vector(&[0x13, 1, 0x13, 2, 0x13, 3, 0xc0, 0x2b, 0xc0, 0x2f]);
    let mut body = vec![3, 3];
    body.extend(noise(32, 1));
    body.push(32);
    body.extend(noise(32, 2));
    body.extend(suites);
    body.extend([1, 0]);
    body.extend(vector(&extensions));
    record(HANDSHAKE, 1, &handshake(CLIENT_HELLO, &body))
}

/// The answer, and the encrypted rest of the server's flight.
pub(super) fn server_hello() -> Vec<u8> {
    let key = [&[0, 0x1d], vector(&noise(32, 6)).as_slice()].concat();
    let extensions = [extension(43, &[3, 4]), extension(51, &key)].concat();
    let mut body = vec![3, 3];
    body.extend(noise(32, 4));
    body.push(32);
    body.extend(noise(32, 2));
    body.extend([0x13, 1, 0]);
    body.extend(vector(&extensions));
    let hello = record(HANDSHAKE, 3, &handshake(SERVER_HELLO, &body));
    [hello, vec![20, 3, 3, 0, 1, 1], application_data(1200)].concat()
}

/// Something encrypted.
pub(super) fn application_data(length: usize) -> Vec<u8> {
    record(APPLICATION_DATA, 3, &noise(length, 9))
}
