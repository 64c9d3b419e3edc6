//! What is ours: everything that is made carries the same tags, and nothing without them is ever touched.
use crate::aws::ec2::{Tag, TagSpecification};
use sha2::{Digest as _, Sha256};

/// Tag that says who has made something.
const MANAGED_BY: (&str, &str) = ("managed-by", "harken");
/// Tag with the name of the spec that something belongs to.
pub(crate) const STACK: &str = "harken:stack";

/// Whether something belongs to that spec.
pub fn is_ours(tags: &[Tag], stack: &str) -> bool {
    let has = |key: &str, value: &str| tags.iter().any(|tag| tag.key == key && tag.value == value);
    has(MANAGED_BY.0, MANAGED_BY.1) && has(STACK, stack)
}

/// The tags of something that is made.
pub(crate) fn tags(resource_type: &'static str, stack: &str, name: &str) -> Vec<TagSpecification> {
    let tag = |key: &str, value: &str| Tag { key: key.to_owned(), value: value.to_owned() };
    // AWS takes 256 characters.
    let name: String = name.chars().take(255).collect();
    let tags = vec![tag("Name", &name), tag(MANAGED_BY.0, MANAGED_BY.1), tag(STACK, stack)];
    vec![TagSpecification { resource_type, tags }]
}

/// What people read on what is made for all sources together.
pub(crate) fn title(stack: &str) -> String {
    format!("harken {stack}")
}

/// A short hash of some texts.
pub(crate) fn hash(parts: &[&str]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    hash.finalize().into()
}

/// The same in hexadecimal, 32 digits.
pub(crate) fn hex(parts: &[&str]) -> String {
    hash(parts).iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

/// The VNI of an interface: the same each time, and none of those that are taken. 1 to 16,777,215.
pub(crate) fn vni(stack: &str, interface: &str, taken: impl Fn(u32) -> bool) -> u32 {
    let [a, b, c, ..] = hash(&["vni", stack, interface]);
    let first = u32::from_be_bytes([0, a, b, c]);
    let last = (1 << 24) - 1;
    (0..=last).map(|step| (first + step) & last).find(|vni| *vni != 0 && !taken(*vni)).unwrap_or(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vnis_are_stable_and_apart() {
        let first = vni("shop", "eni-1", |_| false);
        assert_eq!(first, vni("shop", "eni-1", |_| false));
        assert_eq!(vni("shop", "eni-1", |vni| vni == first), first + 1);
        assert_ne!(first, vni("shop", "eni-2", |_| false));
        assert_ne!(first, vni("other", "eni-1", |_| false));
    }

    #[test]
    fn ours_and_theirs() {
        let tags = tags("traffic-mirror-session", "shop", "x").remove(0).tags;
        assert!(is_ours(&tags, "shop") && !is_ours(&tags, "other") && !is_ours(&[], "shop"));
        assert!(!is_ours(&[Tag { key: STACK.to_owned(), value: "shop".to_owned() }], "shop"));
    }
}
