//! No large file gets into the history, where it would stay for good.

use super::Finding;
use crate::tree::Tree;

/// Bytes.
const LIMIT: u64 = 1 << 20;

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let large = tree.iter().filter(|(_, file)| file.size > LIMIT);
    large
        .map(|(path, file)| Finding::new(path, 0, format!("{} bytes: the limit is {LIMIT}", file.size)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::found;

    #[test]
    fn a_mebibyte_is_the_limit() {
        let most = "a".repeat(1 << 20);
        assert!(found(check, &[("a.bin", &most)]).is_empty());
        assert_eq!(
            found(check, &[("a.bin", &format!("{most}a"))]),
            ["a.bin: 1048577 bytes: the limit is 1048576"]
        );
    }
}
