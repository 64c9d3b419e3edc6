//! A queue whose first element lies in place: hardly any client pipelines, so that one is all there is, and it
//! is found in the memory that is at hand already.
use std::collections::VecDeque;

/// The queue.
#[derive(Debug)]
pub(super) struct Row<T> {
    first: Option<T>,
    /// What stands behind the first; empty when there is none.
    rest: VecDeque<T>,
}

impl<T> Row<T> {
    pub(super) const fn new() -> Self {
        Self { first: None, rest: VecDeque::new() }
    }

    pub(super) fn len(&self) -> usize {
        usize::from(self.first.is_some()) + self.rest.len()
    }

    #[inline]
    pub(super) const fn front(&self) -> Option<&T> {
        self.first.as_ref()
    }

    #[inline]
    pub(super) const fn front_mut(&mut self) -> Option<&mut T> {
        self.first.as_mut()
    }

    pub(super) fn back(&self) -> Option<&T> {
        self.rest.back().or(self.first.as_ref())
    }

    pub(super) fn back_mut(&mut self) -> Option<&mut T> {
        self.rest.back_mut().or(self.first.as_mut())
    }

    pub(super) fn get(&self, at: usize) -> Option<&T> {
        match at.checked_sub(1) {
            None => self.first.as_ref(),
            Some(behind) => self.rest.get(behind),
        }
    }

    pub(super) fn get_mut(&mut self, at: usize) -> Option<&mut T> {
        match at.checked_sub(1) {
            None => self.first.as_mut(),
            Some(behind) => self.rest.get_mut(behind),
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.first.iter().chain(&self.rest)
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.first.iter_mut().chain(&mut self.rest)
    }

    /// Position of the last element that fits.
    pub(super) fn rposition(&self, fits: impl Fn(&T) -> bool) -> Option<usize> {
        let behind = self.rest.iter().rposition(&fits).map(|at| at + 1);
        behind.or_else(|| self.first.as_ref().filter(|first| fits(first)).map(|_| 0))
    }

    #[inline]
    pub(super) fn push_back(&mut self, value: T) -> &mut T {
        match self.first {
            None => self.first.insert(value),
            Some(_) => self.rest.push_back_mut(value),
        }
    }

    pub(super) fn push_front(&mut self, value: T) {
        if let Some(second) = self.first.replace(value) {
            self.rest.push_front(second);
        }
    }

    #[inline]
    pub(super) fn pop_front(&mut self) -> Option<T> {
        let first = self.first.take();
        if !self.rest.is_empty() {
            self.first = self.rest.pop_front();
        }
        first
    }

    pub(super) fn remove(&mut self, at: usize) -> Option<T> {
        match at.checked_sub(1) {
            None => self.pop_front(),
            Some(behind) => self.rest.remove(behind),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_a_queue() {
        let mut row = Row::new();
        let mut model = VecDeque::new();
        let mut random = 7u32;
        for step in 0..10_000 {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let at = (random >> 8) as usize % 5;
            match random >> 28 {
                0..=4 => {
                    *row.push_back(step) += 1;
                    model.push_back(step + 1);
                }
                5 | 6 => {
                    row.push_front(step);
                    model.push_front(step);
                }
                7..=11 => assert_eq!(row.pop_front(), model.pop_front()),
                _ => assert_eq!(row.remove(at), model.remove(at)),
            }
            assert_eq!(row.len(), model.len());
            assert_eq!((row.front(), row.back()), (model.front(), model.back()));
            assert_eq!(row.get(at), model.get(at));
            assert_eq!(row.get_mut(at), model.get_mut(at));
            assert_eq!(row.front_mut(), model.front_mut());
            assert_eq!(row.back_mut(), model.back_mut());
            assert!(row.iter().eq(model.iter()) && row.iter_mut().eq(model.iter_mut()));
            let even = |value: &i32| value % 2 == 0;
            assert_eq!(row.rposition(even), model.iter().rposition(even));
        }
    }
}
