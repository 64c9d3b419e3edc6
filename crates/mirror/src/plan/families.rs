//! Which instance types AWS mirrors, as its guide lists them. No API tells, so an unknown type is warned of, never refused.

/// When the list was read.
pub(super) const AS_OF: &str = "2026-11";

/// Families that can be a source, by AWS's guide of [`AS_OF`].
const FAMILIES: &str = "
    a1 m4 m5 m5a m5ad m5d m5dn m5n m5zn m6a m6g m6gd m6i m6id m6idn m6in m7a m7g m7gd m7i m7i-flex mac1 mac2
    mac2-m1ultra mac2-m2 mac2-m2pro t3 t3a t4g
    c4 c5 c5a c5ad c5d c5n c6a c6g c6gd c6gn c6i c6id c6in c7a c7g c7gd c7i c7i-flex
    r4 r5 r5a r5ad r5b r5d r5dn r5n r6a r6g r6gd r6i r6id r6idn r6in r7a r7g r7gd r7i r7iz u-3tb1 u-6tb1 u-9tb1 u-12tb1
    u-18tb1 u-24tb1 u7i-6tb u7i-8tb u7i-12tb u7in-16tb u7in-24tb u7in-32tb u7inh-32tb x1 x1e x2gd x2idn x2iedn x2iezn z1d
    d2 d3 d3en h1 i3 i3en i4g i4i i7i im4gn is4gen dl1 dl2q f1 f2 g3 g4ad g4dn g5 g5g g6 g6e g6f gr6 gr6f inf1 inf2 p3
    p3dn p4d p4de p5 p5e trn1 trn1n vt1 hpc6a hpc6id hpc7a";

/// Families whose bare metal can be a source.
const METAL: &str =
    "m5 m5d m6g m6gd mac1 mac2 mac2-m1ultra mac2-m2 mac2-m2pro a1 c5 c5d c6g c6gd r5 r5b r5d r6g r6gd x2gd
    z1d i3 g5g";

/// Types that take 100 sources as a target, where others take ten. AWS's list is longer; these are certain.
const LARGE: &str =
    "m5.24xlarge c5.18xlarge c5.24xlarge m6i.32xlarge m7i.48xlarge c5n.18xlarge c6gn.16xlarge";

/// What is doubtful about a type as a source.
pub(super) fn doubt(instance_type: &str) -> Option<String> {
    let (family, size) = instance_type.split_once('.').unwrap_or((instance_type, ""));
    let known = |list: &str| list.split_whitespace().any(|name| name == family);
    let metal = size.starts_with("metal");
    if known(if metal { METAL } else { FAMILIES }) {
        return None;
    }
    let what = if metal { format!("bare metal {family}") } else { family.to_owned() };
    Some(format!("{what} is not on AWS's list of {AS_OF}: AWS may refuse it"))
}

/// How many sources an interface of such an instance takes as a target.
pub(super) fn capacity(instance_type: Option<&str>) -> usize {
    let large = instance_type.is_some_and(|name| LARGE.split_whitespace().any(|large| large == name));
    if large { 100 } else { 10 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types() {
        for known in ["m7i.large", "t3.micro", "c5.metal", "mac2.metal", "u-6tb1.56xlarge", "m7i-flex.large"]
        {
            assert_eq!(doubt(known), None, "{known}");
        }
        for unknown in ["t2.micro", "m8g.large", "m7i.metal-24xl", "c7gn.large", "what"] {
            assert!(doubt(unknown).is_some(), "{unknown}");
        }
        assert_eq!(
            (capacity(Some("m5.24xlarge")), capacity(Some("m5.large")), capacity(None)),
            (100, 10, 10)
        );
    }
}
