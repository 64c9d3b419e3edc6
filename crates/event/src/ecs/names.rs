//! What virtual networks stand for: the machine whose interface is mirrored under a VNI.
use super::json::Json;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

/// Whose packets a virtual network carries, as the file of names has it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Named {
    provider: Option<String>,
    account: Option<String>,
    region: Option<String>,
    interface: Option<String>,
    instance: Option<String>,
    name: Option<String>,
}

/// Member `cloud` of the event.
#[derive(Serialize)]
struct Cloud<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    provider: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    account: Option<Account<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    region: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    instance: Option<Instance<'a>>,
}

#[derive(Serialize)]
struct Account<'a> {
    id: &'a str,
}

#[derive(Serialize)]
struct Instance<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
}

/// The same, as it is written.
#[derive(Debug)]
struct Owner {
    /// Member `cloud` of the event, with the comma before it; empty when nothing is known.
    cloud: Vec<u8>,
    /// Members of `harken.tunnel`, with the comma before them.
    tunnel: Vec<u8>,
    /// What people call it.
    label: String,
}

impl Owner {
    fn new(named: &Named) -> Self {
        let [provider, account, region, interface, id, name] =
            [&named.provider, &named.account, &named.region, &named.interface, &named.instance, &named.name]
                .map(|text| text.as_deref().filter(|text| !text.is_empty()));
        let cloud = Cloud {
            provider,
            account: account.map(|id| Account { id }),
            region,
            instance: (id.is_some() || name.is_some()).then_some(Instance { id, name }),
        };
        // What is text can always be written.
        let cloud = serde_json::to_string(&cloud).unwrap_or_default();
        let cloud = if cloud == "{}" { String::new() } else { format!(",\"cloud\":{cloud}") };
        let mut tunnel = Vec::new();
        if let Some(interface) = interface {
            Json(&mut tunnel).raw(br#","interface":""#).text(interface.as_bytes()).raw(b"\"");
        }
        let label = name.or(id).or(interface).unwrap_or_default().to_owned();
        Self { cloud: cloud.into_bytes(), tunnel, label }
    }
}

/// Names of virtual networks. Clones share them, so that all writers have new ones at once.
#[derive(Debug, Clone, Default)]
pub struct VniNames(Arc<RwLock<HashMap<u32, Owner>>>);

impl VniNames {
    /// Takes the names of a file that `harken mirror names` has written, instead of those before. Gives their number.
    ///
    /// # Errors
    /// What is wrong with the text, with line and column. Those before stay.
    pub fn set(&self, text: &str) -> Result<usize, String> {
        #[derive(Deserialize)]
        struct File {
            vnis: HashMap<u32, Named>,
        }
        let file: File = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let owners: HashMap<_, _> = file.vnis.iter().map(|(vni, named)| (*vni, Owner::new(named))).collect();
        let count = owners.len();
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = owners;
        Ok(count)
    }

    fn of<R>(&self, vni: Option<u32>, give: impl FnOnce(&Owner) -> R) -> Option<R> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(&vni?).map(give)
    }

    /// What people call a virtual network.
    pub fn label(&self, vni: Option<u32>) -> Option<String> {
        self.of(vni, |owner| owner.label.clone()).filter(|label| !label.is_empty())
    }

    /// Appends what stands beside `network` in an event.
    pub(super) fn cloud(&self, vni: Option<u32>, out: &mut Vec<u8>) {
        self.of(vni, |owner| out.extend_from_slice(&owner.cloud));
    }

    /// Appends what stands in `harken.tunnel` of an event.
    pub(super) fn tunnel(&self, vni: Option<u32>, out: &mut Vec<u8>) {
        self.of(vni, |owner| out.extend_from_slice(&owner.tunnel));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_is_written() {
        let names = VniNames::default();
        let shared = names.clone();
        let text = r#"{"vnis": {"5": {"provider": "aws", "account": "1", "region": "r", "interface": "eni-1",
            "instance": "i-1", "name": "a\"b", "session": "tms-1"}, "6": {"interface": "eni-2"}, "7": {"name": "n"}}}"#;
        assert_eq!(names.set(text), Ok(3));
        let both = |vni| {
            let (mut cloud, mut tunnel) = (Vec::new(), Vec::new());
            shared.cloud(vni, &mut cloud);
            shared.tunnel(vni, &mut tunnel);
            (String::from_utf8(cloud).unwrap(), String::from_utf8(tunnel).unwrap())
        };
        let (cloud, tunnel) = both(Some(5));
        assert_eq!(
            cloud,
            r#","cloud":{"provider":"aws","account":{"id":"1"},"region":"r","instance":{"id":"i-1","name":"a\"b"}}"#
        );
        assert_eq!(tunnel, r#","interface":"eni-1""#);
        assert_eq!(both(Some(6)), (String::new(), r#","interface":"eni-2""#.to_owned()));
        assert_eq!(both(Some(7)).0, r#","cloud":{"instance":{"name":"n"}}"#);
        assert_eq!((both(Some(8)), both(None)), Default::default());
        assert_eq!(
            (shared.label(Some(6)).as_deref(), shared.label(Some(5)).as_deref()),
            (Some("eni-2"), Some("a\"b"))
        );
        // What is wrong leaves the names as they are.
        assert!(names.set("{}").is_err() && names.set(r#"{"vnis": {"x": {}}}"#).is_err());
        assert_eq!(shared.label(Some(7)).as_deref(), Some("n"));
    }
}
