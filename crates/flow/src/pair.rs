//! Something for each of the two endpoints of a flow.

/// An endpoint of a flow, by the order of the two in the key. Roles may be learnt late; sides never change.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) enum Side {
    /// The lower endpoint of the key.
    #[default]
    Low,
    /// The higher endpoint of the key.
    High,
}

impl Side {
    #[inline]
    pub(crate) const fn other(self) -> Self {
        match self {
            Self::Low => Self::High,
            Self::High => Self::Low,
        }
    }
}

/// One value per side.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Pair<T> {
    pub(crate) low: T,
    pub(crate) high: T,
}

impl<T> Pair<T> {
    #[inline]
    pub(crate) const fn of(&self, side: Side) -> &T {
        match side {
            Side::Low => &self.low,
            Side::High => &self.high,
        }
    }

    #[inline]
    pub(crate) const fn of_mut(&mut self, side: Side) -> &mut T {
        match side {
            Side::Low => &mut self.low,
            Side::High => &mut self.high,
        }
    }

    /// The value of `side`, then that of the other one.
    #[inline]
    pub(crate) const fn both_mut(&mut self, side: Side) -> (&mut T, &mut T) {
        match side {
            Side::Low => (&mut self.low, &mut self.high),
            Side::High => (&mut self.high, &mut self.low),
        }
    }
}
