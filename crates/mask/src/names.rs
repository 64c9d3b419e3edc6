//! The names whose values are masked whatever they are.

use crate::config::Config;
use crate::kind::Kind;
use crate::method::Method;
use crate::report::Location;

/// The longest name that is compared; paths may have as many bytes.
const LONGEST: usize = 128;

/// Names without `-`, `_` and capitals; where they count is everywhere.
const DEFAULT: &[(&str, Kind)] = &[
    ("authorization", Kind::Authorization),
    ("proxyauthorization", Kind::Authorization),
    ("cookie", Kind::Cookie),
    ("setcookie", Kind::Cookie),
    ("xapikey", Kind::Password),
    ("apikey", Kind::Password),
    ("xauthtoken", Kind::Password),
    ("xaccesstoken", Kind::Password),
    ("xcsrftoken", Kind::Password),
    ("xamzsecuritytoken", Kind::Password),
    ("setcookie2", Kind::Cookie),
    ("xapitoken", Kind::Password),
    ("authenticationtoken", Kind::Password),
    ("ocpapimsubscriptionkey", Kind::Password),
    ("privatetoken", Kind::Password),
    ("xfunctionskey", Kind::Password),
    ("xgitlabtoken", Kind::Password),
    ("xgoogapikey", Kind::Password),
    ("xvaulttoken", Kind::Password),
    ("xxsrftoken", Kind::Password),
    ("xamzsignature", Kind::Password),
    ("cvv", Kind::Password),
    ("cvv2", Kind::Password),
    ("cvc", Kind::Password),
    ("cvc2", Kind::Password),
    ("securitycode", Kind::Password),
    ("password", Kind::Password),
    ("passwd", Kind::Password),
    ("pwd", Kind::Password),
    ("passphrase", Kind::Password),
    ("secret", Kind::Password),
    ("token", Kind::Password),
    ("accesstoken", Kind::Password),
    ("refreshtoken", Kind::Password),
    ("idtoken", Kind::Password),
    ("authtoken", Kind::Password),
    ("sessiontoken", Kind::Password),
    ("clientsecret", Kind::Password),
    ("clientassertion", Kind::Password),
    ("privatekey", Kind::Password),
    ("secretkey", Kind::Password),
    ("secretaccesskey", Kind::Password),
    ("awssecretaccesskey", Kind::Password),
];

/// A rule by name, compiled.
#[derive(Debug, Clone)]
struct Rule {
    name: Vec<u8>,
    location: Option<Location>,
    kind: Kind,
    method: Method,
}

/// All of them, sorted by name; those of the configuration come before the built-in ones.
#[derive(Debug, Clone)]
pub(crate) struct Names(Vec<Rule>);

/// A name as it is compared: in `room`, without what makes no difference.
fn plain<'a>(name: &[u8], room: &'a mut [u8; LONGEST]) -> Option<&'a [u8]> {
    let mut length = 0;
    for byte in name.iter().filter(|byte| !matches!(byte, b'-' | b'_')) {
        *room.get_mut(length)? = byte.to_ascii_lowercase();
        length += 1;
    }
    room.get(..length)
}

impl Names {
    pub(crate) fn new(config: &Config) -> Self {
        let mut room = [0; LONGEST];
        let mut rules = Vec::new();
        for rule in &config.names {
            let Some(name) = plain(rule.name.as_bytes(), &mut room) else { continue };
            let method = rule.method.unwrap_or(config.secret.method);
            rules.push(Rule { name: name.to_vec(), location: rule.location, kind: Kind::Password, method });
        }
        if config.default_names && config.secret.on {
            let wanted = DEFAULT.iter().filter(|(_, kind)| config.wants(*kind));
            rules.extend(wanted.map(|(name, kind)| Rule {
                name: name.as_bytes().to_vec(),
                location: None,
                kind: *kind,
                method: config.secret.method,
            }));
        }
        rules.sort_by(|a, b| a.name.cmp(&b.name));
        Self(rules)
    }

    /// What is to be done with the value of `name` there.
    pub(crate) fn find(&self, location: Location, name: &[u8]) -> Option<(Kind, Method)> {
        let mut room = [0; LONGEST];
        let name = plain(name, &mut room)?;
        let from = self.0.partition_point(|rule| rule.name.as_slice() < name);
        self.0
            .iter()
            .skip(from)
            .take_while(|rule| rule.name == name)
            .find(|rule| rule.location.is_none_or(|only| only == location))
            .map(|rule| (rule.kind, rule.method))
    }
}
