//! Secrets by their shape: the prefixes that services give their keys, tokens, PEM, and `name=value`.
//!
//! One automaton finds where something may begin; what follows is looked at there, at most a run of bytes of
//! the alphabet of that secret. Places inside something found are passed over, which keeps it linear.

use crate::beginnings::Beginnings;
use crate::detect::{Match, Wanted};
use crate::kind::Kind;
use aho_corasick::{AhoCorasick, Input, MatchKind};
use memchr::memmem;

/// What may follow a literal.
#[derive(Clone, Copy)]
enum Tail {
    /// At least so many, at most so many bytes of letters, digits and these.
    Run(&'static [u8], usize, usize),
    /// The same, capitals and digits alone.
    Capitals(usize),
    /// The rest of a JSON Web Token.
    Jwt,
    /// A PEM block.
    Pem,
    /// Credentials of a scheme of Authorization.
    Bearer,
    /// The same, which decode to a name and a password.
    Basic,
    /// The rest of a name, `=` or `:`, and a value.
    Named,
}

use Tail::{Basic, Bearer, Capitals, Jwt, Named, Pem, Run};

const WORD: &[u8] = b"_-";

/// The literals, what follows them, and what that is. Literals with a capital or `_` are compared as written.
const SHAPES: &[(&str, Tail, Kind)] = &[
    ("AKIA", Capitals(16), Kind::AwsKey),
    ("ASIA", Capitals(16), Kind::AwsKey),
    ("AROA", Capitals(16), Kind::AwsKey),
    ("ghp_", Run(b"", 36, 255), Kind::Github),
    ("gho_", Run(b"", 36, 255), Kind::Github),
    ("ghu_", Run(b"", 36, 255), Kind::Github),
    ("ghs_", Run(b"", 36, 255), Kind::Github),
    ("ghr_", Run(b"", 36, 255), Kind::Github),
    ("github_pat_", Run(b"_", 22, 255), Kind::Github),
    ("glpat-", Run(WORD, 20, 255), Kind::Gitlab),
    ("xoxb-", Run(b"-", 10, 255), Kind::Slack),
    ("xoxp-", Run(b"-", 10, 255), Kind::Slack),
    ("xoxa-", Run(b"-", 10, 255), Kind::Slack),
    ("xoxr-", Run(b"-", 10, 255), Kind::Slack),
    ("xoxs-", Run(b"-", 10, 255), Kind::Slack),
    ("xapp-", Run(b"-", 10, 255), Kind::Slack),
    ("hooks.slack.com/services/", Run(b"/", 20, 255), Kind::Slack),
    ("sk_live_", Run(b"", 16, 255), Kind::Stripe),
    ("sk_test_", Run(b"", 16, 255), Kind::Stripe),
    ("rk_live_", Run(b"", 16, 255), Kind::Stripe),
    ("rk_test_", Run(b"", 16, 255), Kind::Stripe),
    ("whsec_", Run(b"+/=", 24, 255), Kind::Stripe),
    ("AIza", Run(WORD, 35, 35), Kind::Google),
    ("ya29.", Run(b"_-.", 20, 2048), Kind::Google),
    ("GOCSPX-", Run(WORD, 20, 255), Kind::Google),
    ("npm_", Run(b"", 36, 36), Kind::ApiKey),
    ("sk-ant-", Run(WORD, 20, 255), Kind::ApiKey),
    ("sk-proj-", Run(WORD, 20, 255), Kind::ApiKey),
    ("SG.", Run(b"_-.", 60, 255), Kind::ApiKey),
    ("eyJ", Jwt, Kind::Jwt),
    ("PRIVATE KEY-----", Pem, Kind::PrivateKey),
    ("bearer ", Bearer, Kind::Authorization),
    ("basic ", Basic, Kind::Authorization),
    ("password", Named, Kind::Password),
    ("passwd", Named, Kind::Password),
    ("passphrase", Named, Kind::Password),
    ("pwd", Named, Kind::Password),
    ("secret", Named, Kind::Password),
    ("token", Named, Kind::Password),
    ("api_key", Named, Kind::Password),
    ("apikey", Named, Kind::Password),
    ("api-key", Named, Kind::Password),
    ("access_key", Named, Kind::Password),
    ("accesskey", Named, Kind::Password),
];

/// The longest PEM block that is followed to its end.
const PEM: usize = 16 << 10;
/// The longest rest of a name, as in `token_for_the_day`.
const NAME: usize = 24;
/// How much of a value is looked at to tell whether it is one.
const VALUE: usize = 64;

/// The automaton over [`SHAPES`], and what finds where it may begin.
#[derive(Debug, Clone)]
pub(crate) struct Secrets {
    automaton: AhoCorasick,
    beginnings: Beginnings,
}

impl Secrets {
    /// The automaton, which can be built: it is a constant of the program.
    pub(crate) fn new() -> Option<Self> {
        let automaton = AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .match_kind(MatchKind::LeftmostLongest)
            .build(SHAPES.iter().map(|shape| shape.0))
            .ok()?;
        let literals = SHAPES.iter().map(|shape| shape.0.as_bytes());
        Some(Self { automaton, beginnings: Beginnings::new(literals) })
    }

    /// Where the first literal stands, in whichever case.
    fn first(&self, text: &[u8]) -> Option<usize> {
        let mut from = 0;
        loop {
            let at = self.beginnings.next(text, from)?;
            let rest = text.get(at..)?;
            let is_here = |literal: &[u8]| {
                rest.get(..literal.len()).is_some_and(|here| here.eq_ignore_ascii_case(literal))
            };
            if SHAPES.iter().any(|shape| is_here(shape.0.as_bytes())) {
                return Some(at);
            }
            from = at + 1;
        }
    }

    /// Whether a secret may begin somewhere in `text`.
    pub(crate) fn may_find(&self, text: &[u8]) -> bool {
        self.first(text).is_some()
    }

    /// Puts the secrets in `text` into `found`.
    pub(crate) fn find(&self, text: &[u8], wanted: &Wanted, found: &mut Vec<Match>) {
        let Some(first) = self.first(text) else { return };
        let mut covered = 0;
        for place in self.automaton.find_iter(Input::new(text).range(first..)) {
            let Some((literal, tail, kind)) = SHAPES.get(place.pattern().as_usize()) else { continue };
            let (start, from) = (place.start(), place.end());
            if start < covered || !wanted.kind(*kind) {
                continue;
            }
            let rest = text.get(from..).unwrap_or_default();
            let range = match tail {
                Jwt | Run(..) | Capitals(_)
                    if text.get(start..from).is_none_or(|as_is| as_is != literal.as_bytes()) =>
                {
                    None
                }
                Run(..) | Capitals(_) | Jwt | Bearer | Basic if word_before(text, start) => None,
                Run(also, least, most) => {
                    // Where the length is not fixed all of the run belongs to the secret.
                    let most = if *most < 255 { *most + 1 } else { usize::MAX };
                    let length = run(rest, most, |byte| byte.is_ascii_alphanumeric() || also.contains(&byte));
                    (*least <= length && length < most).then_some((start, from + length))
                }
                Capitals(length) => {
                    let is = run(rest, length + 1, |byte| byte.is_ascii_alphanumeric());
                    let capitals =
                        rest.iter().take(is).all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
                    (is == *length && capitals).then_some((start, from + is))
                }
                Jwt => jwt(text, start),
                Pem => {
                    let near = rest.get(..PEM).unwrap_or(rest);
                    Some((from, from + memmem::find(near, b"-----END").unwrap_or(near.len()))).filter(
                        |range| {
                            text.get(range.0..range.1)
                                .is_some_and(|body| body.len() > 40 && !body.starts_with(b"*"))
                        },
                    )
                }
                Bearer => {
                    let length = run(rest, usize::MAX, is_token68);
                    let digit = rest.iter().take(length).any(u8::is_ascii_digit);
                    (length >= 16 && digit).then_some((from, from + length))
                }
                Basic => {
                    let length = run(rest, usize::MAX, is_token68);
                    let encoded = rest.get(..length).unwrap_or_default();
                    (length >= 8 && is_pair(encoded)).then_some((from, from + length))
                }
                Named => named(text, from),
            };
            if let Some((start, end)) = range {
                found.push(Match { kind: *kind, start, end });
                covered = end;
            }
        }
    }
}

fn run(text: &[u8], most: usize, is: impl Fn(u8) -> bool) -> usize {
    text.iter().take(most).take_while(|byte| is(**byte)).count()
}

fn word_before(text: &[u8], start: usize) -> bool {
    let before = start.checked_sub(1).and_then(|at| text.get(at));
    before.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_' || *byte == b'-')
}

fn is_token68(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte)
}

fn is_base64url(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'
}

/// The signature of the token that begins at `start`.
fn jwt(text: &[u8], start: usize) -> Option<(usize, usize)> {
    let mut at = start;
    for _ in 0..2 {
        let length = run(text.get(at..)?, usize::MAX, is_base64url);
        at += length;
        if length < 8 || text.get(at) != Some(&b'.') {
            return None;
        }
        at += 1;
    }
    let length = run(text.get(at..)?, usize::MAX, is_base64url);
    (length >= 16).then_some((at, at + length))
}

/// Whether Base64 decodes to text with a colon in it, as the credentials of Basic do.
fn is_pair(encoded: &[u8]) -> bool {
    let value = |byte: u8| match byte {
        b'A'..=b'Z' => Some(u32::from(byte - b'A')),
        b'a'..=b'z' => Some(u32::from(byte - b'a') + 26),
        b'0'..=b'9' => Some(u32::from(byte - b'0') + 52),
        b'+' | b'-' => Some(62),
        b'/' | b'_' => Some(63),
        _ => None,
    };
    let (mut bits, mut count, mut colon) = (0u32, 0, false);
    for byte in encoded {
        let Some(value) = value(*byte) else { break };
        bits = bits << 6 | value;
        count += 6;
        if count >= 8 {
            count -= 8;
            let byte = (bits >> count & 0xff) as u8;
            if byte.is_ascii_control() {
                return false;
            }
            colon |= byte == b':';
        }
    }
    colon
}

/// The value after a name that goes on at `from`.
fn named(text: &[u8], from: usize) -> Option<(usize, usize)> {
    let rest = text.get(from..)?;
    let mut at = run(rest, NAME, |byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-');
    at += run(rest.get(at..)?, 2, |byte| matches!(byte, b'"' | b'\'' | b' '));
    let equals = match rest.get(at)? {
        b'=' => true,
        b':' => false,
        _ => return None,
    };
    at += 1;
    at += run(rest.get(at..)?, 2, |byte| byte == b' ');
    let quoted = matches!(rest.get(at), Some(b'"' | b'\''));
    at += usize::from(quoted);
    let value = rest.get(at..)?;
    let inside = |byte: u8| !b"\"' \t\r\n&,;<>(){}[]".contains(&byte);
    let length = run(value, VALUE, inside);
    let first = value.get(..length)?;
    // `password: required` is a sentence; `password: hunter2!` and `password=hunter` are not.
    let telling = equals || quoted || length >= 8 && first.iter().any(u8::is_ascii_digit);
    let placeholder = matches!(first.first(), Some(b'*' | b'$' | b'%' | b'='));
    (length >= 6 && telling && !placeholder).then(|| (from + at, from + at + run(value, usize::MAX, inside)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_literal_is_that_of_the_automaton() {
        let secrets = Secrets::new().unwrap();
        let whole = |text: &[u8]| secrets.automaton.find(text).map(|found| found.start());
        // Each literal, in both cases and cut off, behind and before others and what looks like them.
        let texts = SHAPES.iter().map(|shape| shape.0);
        let near = ["", "p", "pa", "se", "akia", "a secret", "\u{e9}\u{e9}", "0-_[{\"", "accesspwd"];
        for literal in texts {
            for (before, after) in near.iter().flat_map(|before| near.map(|after| (*before, after))) {
                for cut in 0..=literal.len() {
                    let part = literal.get(cut..).unwrap();
                    for text in
                        [format!("{before}{part}{after}"), format!("{before}{after}{part}").to_uppercase()]
                    {
                        assert_eq!(secrets.first(text.as_bytes()), whole(text.as_bytes()), "{text}");
                    }
                }
            }
        }
    }
}
