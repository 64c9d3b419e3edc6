//! Places that are numbered and never move.

/// Places in one block. A block is allocated whole, so that a growing table copies nothing and leaves nothing
/// behind.
const BLOCK: usize = 1024;

/// A list that grows by blocks.
pub(super) struct Slab<T> {
    blocks: Vec<Vec<T>>,
    len: u32,
}

impl<T> Slab<T> {
    pub(super) const fn new() -> Self {
        Self { blocks: Vec::new(), len: 0 }
    }

    /// The value with this number.
    #[inline]
    pub(super) fn get(&self, id: u32) -> Option<&T> {
        self.blocks.get(id as usize / BLOCK)?.get(id as usize % BLOCK)
    }

    /// The value with this number.
    #[inline]
    pub(super) fn get_mut(&mut self, id: u32) -> Option<&mut T> {
        self.blocks.get_mut(id as usize / BLOCK)?.get_mut(id as usize % BLOCK)
    }

    /// Adds a value; returns its number, which is one more than the last one's.
    pub(super) fn push(&mut self, value: T) -> u32 {
        let id = self.len;
        match self.blocks.last_mut().filter(|block| block.len() < BLOCK) {
            Some(block) => block.push(value),
            None => {
                let mut block = Vec::with_capacity(BLOCK);
                block.push(value);
                self.blocks.push(block);
            }
        }
        self.len += 1;
        id
    }

    /// All values with their numbers.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, &T)> {
        (0..).zip(self.blocks.iter().flatten())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stay() {
        let mut slab = Slab::new();
        for i in 0..10_000u32 {
            assert_eq!(slab.push(i), i);
        }
        assert!((0..10_000).all(|i| slab.get(i) == Some(&i)));
        assert_eq!(slab.get(10_000), None);
        *slab.get_mut(BLOCK as u32).unwrap() = 7;
        assert_eq!(slab.iter().map(|(id, v)| u32::from(id != *v)).sum::<u32>(), 1);
        assert_eq!(slab.iter().count(), 10_000);
    }
}
