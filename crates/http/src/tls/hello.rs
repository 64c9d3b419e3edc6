//! ClientHello and ServerHello, RFC 8446 section 4.1 and RFC 5246 section 7.4.1.
use crate::cursor::Cursor;

/// Bytes of a hello that are waited for.
pub const MAX_HELLO: usize = 16 * 1024;

/// Types of extensions that are read.
mod extension {
    pub(super) const SERVER_NAME: u16 = 0;
    pub(super) const SUPPORTED_GROUPS: u16 = 10;
    pub(super) const EC_POINT_FORMATS: u16 = 11;
    pub(super) const SIGNATURE_ALGORITHMS: u16 = 13;
    pub(super) const ALPN: u16 = 16;
    pub(super) const SESSION_TICKET: u16 = 35;
    pub(super) const PRE_SHARED_KEY: u16 = 41;
    pub(super) const SUPPORTED_VERSIONS: u16 = 43;
    pub(super) const KEY_SHARE: u16 = 51;
    /// The same in drafts of TLS 1.3.
    pub(super) const DRAFT_KEY_SHARE: u16 = 40;
}

/// What a ClientHello says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientHello {
    /// `legacy_version`.
    pub version: u16,
    /// `legacy_session_id`.
    pub session_id: Vec<u8>,
    /// Cipher suites, in order.
    pub ciphers: Vec<u16>,
    /// Types of the extensions, in order.
    pub extensions: Vec<u16>,
    /// The server name (RFC 6066 section 3), in small letters.
    pub server_name: Option<String>,
    /// The first protocol of ALPN (RFC 7301).
    pub alpn: Option<Vec<u8>>,
    /// Supported groups, in order.
    pub groups: Vec<u16>,
    /// Formats of points of elliptic curves.
    pub point_formats: Vec<u8>,
    /// Signature algorithms, in order.
    pub signatures: Vec<u16>,
    /// Supported versions, in order.
    pub versions: Vec<u16>,
    /// It has a session ticket (RFC 5077) that is not empty.
    pub has_ticket: bool,
}

/// What a ServerHello says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerHello {
    /// `legacy_version`.
    pub legacy_version: u16,
    /// The version that was chosen.
    pub version: u16,
    /// The session identifier.
    pub session_id: Vec<u8>,
    /// The cipher suite.
    pub cipher: u16,
    /// Types of the extensions, in order.
    pub extensions: Vec<u16>,
    /// The group of the key share.
    pub group: Option<u16>,
    /// The protocol of ALPN.
    pub alpn: Option<Vec<u8>>,
    /// A pre-shared key was chosen: the session goes on.
    pub has_psk: bool,
}

/// Calls `each` with type and contents of the extensions at the end of a hello, and gives their types.
fn extensions<'b>(hello: &mut Cursor<'b>, mut each: impl FnMut(u16, Cursor<'b>)) -> Vec<u16> {
    let mut types = Vec::new();
    let mut list = hello.vector(2).unwrap_or(Cursor(&[]));
    while let Some(kind) = list.word() {
        types.push(kind);
        let Some(contents) = list.vector(2) else { break };
        each(kind, contents);
    }
    types
}

impl ClientHello {
    /// Reads the body of the handshake message. One that breaks off is read as far as it goes.
    pub fn read(body: &[u8]) -> Option<Self> {
        let mut body = Cursor(body);
        let mut hello = Self { version: body.word()?, ..Self::default() };
        body.take(32)?;
        hello.session_id = body.vector(1)?.0.to_vec();
        hello.ciphers = body.vector(2)?.words();
        body.vector(1)?;
        let types = extensions(&mut body, |kind, contents| hello.extension(kind, contents));
        hello.extensions = types;
        Some(hello)
    }

    fn extension(&mut self, kind: u16, mut contents: Cursor<'_>) {
        let mut list = |bytes| contents.vector(bytes).unwrap_or(Cursor(&[]));
        match kind {
            extension::SERVER_NAME => self.server_name = server_name(list(2)),
            extension::SUPPORTED_GROUPS => self.groups = list(2).words(),
            extension::EC_POINT_FORMATS => self.point_formats = list(1).0.to_vec(),
            extension::SIGNATURE_ALGORITHMS => self.signatures = list(2).words(),
            extension::SUPPORTED_VERSIONS => self.versions = list(1).words(),
            extension::ALPN => self.alpn = list(2).vector(1).map(|name| name.0.to_vec()),
            extension::SESSION_TICKET => self.has_ticket = !contents.0.is_empty(),
            _ => {}
        }
    }
}

fn server_name(mut list: Cursor<'_>) -> Option<String> {
    while let Some(kind) = list.number(1) {
        let name = list.vector(2)?.0;
        if kind == 0 {
            // A DNS name has at most 253 characters.
            let is_plain = name.len() <= 253 && name.iter().all(u8::is_ascii_graphic);
            return (is_plain && !name.is_empty())
                .then(|| String::from_utf8_lossy(name).to_ascii_lowercase());
        }
    }
    None
}

impl ServerHello {
    /// Reads the body of the handshake message. One that breaks off is read as far as it goes.
    pub fn read(body: &[u8]) -> Option<Self> {
        let mut body = Cursor(body);
        let legacy_version = body.word()?;
        body.take(32)?;
        let mut hello = Self { legacy_version, version: legacy_version, ..Self::default() };
        // Drafts of TLS 1.3 up to 21 had neither a session identifier nor a compression method.
        let is_draft = legacy_version >> 8 == 0x7f;
        if !is_draft {
            hello.session_id = body.vector(1)?.0.to_vec();
        }
        hello.cipher = body.word()?;
        if !is_draft {
            body.take(1)?;
        }
        let types = extensions(&mut body, |kind, mut contents| match kind {
            extension::SUPPORTED_VERSIONS => hello.version = contents.word().unwrap_or(hello.version),
            extension::KEY_SHARE => hello.group = contents.word(),
            extension::DRAFT_KEY_SHARE if is_draft => hello.group = contents.word(),
            extension::PRE_SHARED_KEY => hello.has_psk = true,
            extension::ALPN => {
                hello.alpn =
                    contents.vector(2).and_then(|mut list| list.vector(1)).map(|name| name.0.to_vec());
            }
            _ => {}
        });
        hello.extensions = types;
        Some(hello)
    }
}

/// Whether more bytes must come before it can be told what a client's first bytes say: they begin a ClientHello
/// that goes on beyond them.
pub fn is_unfinished(bytes: &[u8]) -> bool {
    if bytes.len() >= MAX_HELLO {
        return false;
    }
    let (mut records, mut have, mut want) = (Cursor(bytes), 0_usize, None);
    // A ClientHello may be cut into several records.
    loop {
        let Some(head) = records.take(5) else { return true };
        let &[kind, major, _, high, low] = head else { return false };
        if kind != 0x16 || major != 3 {
            return false;
        }
        let length = usize::from(high) << 8 | usize::from(low);
        let body = records.0.get(..length).unwrap_or(records.0);
        if want.is_none() {
            let mut message = Cursor(body);
            match (message.number(1), message.number(3)) {
                (Some(1), Some(length)) if length <= MAX_HELLO => want = Some(4 + length),
                (Some(1), Some(_)) => return false,
                (Some(1) | None, None) if body.len() < 4 => return records.take(length).is_none(),
                _ => return false,
            }
        }
        have += body.len();
        if want.is_some_and(|want| have >= want) {
            return false;
        }
        if records.take(length).is_none() {
            return true;
        }
    }
}
