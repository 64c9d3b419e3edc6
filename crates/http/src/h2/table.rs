//! The tables of HPACK, RFC 7541 section 2.3, of which a part may not be known.
use std::collections::VecDeque;

/// RFC 7541 appendix A.
const STATIC: [(&str, &str); 61] = [
    (":authority", ""),
    (":method", "GET"),
    (":method", "POST"),
    (":path", "/"),
    (":path", "/index.html"),
    (":scheme", "http"),
    (":scheme", "https"),
    (":status", "200"),
    (":status", "204"),
    (":status", "206"),
    (":status", "304"),
    (":status", "400"),
    (":status", "404"),
    (":status", "500"),
    ("accept-charset", ""),
    ("accept-encoding", "gzip, deflate"),
    ("accept-language", ""),
    ("accept-ranges", ""),
    ("accept", ""),
    ("access-control-allow-origin", ""),
    ("age", ""),
    ("allow", ""),
    ("authorization", ""),
    ("cache-control", ""),
    ("content-disposition", ""),
    ("content-encoding", ""),
    ("content-language", ""),
    ("content-length", ""),
    ("content-location", ""),
    ("content-range", ""),
    ("content-type", ""),
    ("cookie", ""),
    ("date", ""),
    ("etag", ""),
    ("expect", ""),
    ("expires", ""),
    ("from", ""),
    ("host", ""),
    ("if-match", ""),
    ("if-modified-since", ""),
    ("if-none-match", ""),
    ("if-range", ""),
    ("if-unmodified-since", ""),
    ("last-modified", ""),
    ("link", ""),
    ("location", ""),
    ("max-forwards", ""),
    ("proxy-authenticate", ""),
    ("proxy-authorization", ""),
    ("range", ""),
    ("referer", ""),
    ("refresh", ""),
    ("retry-after", ""),
    ("server", ""),
    ("set-cookie", ""),
    ("strict-transport-security", ""),
    ("transfer-encoding", ""),
    ("user-agent", ""),
    ("vary", ""),
    ("via", ""),
    ("www-authenticate", ""),
];

/// The size of a table before its encoder says another one (RFC 9113 section 6.5.2), and what an entry counts for beside its
/// texts (RFC 7541 section 4.1).
const SIZE: usize = 4096;
const ENTRY: usize = 32;
/// The largest table that is kept here. An encoder may have a larger one: of that the older entries are not known.
const LARGEST: usize = 64 << 10;

/// A field, as far as it is known.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Known<'a> {
    pub(super) name: Option<&'a [u8]>,
    pub(super) value: Option<&'a [u8]>,
}

impl Known<'_> {
    const NOTHING: Self = Self { name: None, value: None };
}

#[derive(Debug)]
struct Entry {
    /// The name and behind it the value, in one piece of memory.
    text: Box<[u8]>,
    /// Bytes of the name, where it is known.
    name: Option<usize>,
}

impl Entry {
    fn new(name: Option<&[u8]>, value: &[u8]) -> Self {
        let text = [name.unwrap_or_default(), value].concat();
        Self { text: text.into_boxed_slice(), name: name.map(<[u8]>::len) }
    }

    fn known(&self) -> Known<'_> {
        let (name, value) = self.text.split_at_checked(self.name.unwrap_or(0)).unwrap_or_default();
        Known { name: self.name.map(|_| name), value: Some(value) }
    }

    /// What it counts for at least: a name that is not known may be empty.
    fn size(&self) -> usize {
        self.text.len() + ENTRY
    }
}

/// The dynamic table of one direction.
#[derive(Debug)]
pub(super) struct Table {
    /// The newest first.
    entries: VecDeque<Entry>,
    size: usize,
    most: usize,
    /// There may be older entries, which are not known.
    is_partial: bool,
}

impl Table {
    /// The table of a connection from its beginning, or of one that was joined later.
    pub(super) fn new(is_partial: bool) -> Self {
        let most = if is_partial { LARGEST } else { SIZE };
        Self { entries: VecDeque::new(), size: 0, most, is_partial }
    }

    /// Header blocks were lost, and with them how many entries there are by now.
    pub(super) fn lose(&mut self) {
        *self = Self::new(true);
    }

    /// Bytes that the entries count for.
    pub(super) const fn size(&self) -> usize {
        self.size
    }

    /// The field of that index; nothing when there can be none.
    pub(super) fn get(&self, index: usize) -> Option<Known<'_>> {
        let at = index.checked_sub(1)?;
        if let Some((name, value)) = STATIC.get(at) {
            return Some(Known { name: Some(name.as_bytes()), value: Some(value.as_bytes()) });
        }
        match self.entries.get(at - STATIC.len()) {
            Some(entry) => Some(entry.known()),
            None if self.is_partial => Some(Known::NOTHING),
            None => None,
        }
    }

    /// Inserts a field before all others.
    pub(super) fn insert(&mut self, name: Option<&[u8]>, value: &[u8]) {
        let entry = Entry::new(name, value);
        self.size += entry.size();
        self.entries.push_front(entry);
        self.evict();
    }

    /// The encoder has changed the size.
    pub(super) fn resize(&mut self, most: usize) {
        // What it keeps beyond this is not known here.
        self.is_partial |= most > LARGEST;
        self.most = most.min(LARGEST);
        self.evict();
    }

    fn evict(&mut self) {
        while self.size > self.most
            && let Some(entry) = self.entries.pop_back()
        {
            self.size -= entry.size();
        }
    }
}
