//! A number of connections.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, Mul};

/// A number of connections. It cannot go negative, and it cannot overflow: it saturates at [`Connections::UNBOUNDED`],
/// which stays unbounded whatever is added to it.
///
/// It prevents three mistakes: an unsigned subtraction that wraps to a huge capacity, a product that wraps to a small
/// demand, and "no limit" taken for zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Connections(u64);

impl Connections {
    /// None.
    pub const ZERO: Self = Self(0);
    /// As many as are asked for: a client without a limit.
    pub const UNBOUNDED: Self = Self(u64::MAX);

    /// `n` connections.
    #[must_use]
    pub const fn new(n: u64) -> Self {
        Self(n)
    }

    /// The number, or nothing where there is no bound.
    #[must_use]
    pub fn bounded(self) -> Option<u64> {
        (self != Self::UNBOUNDED).then_some(self.0)
    }

    /// What is left after `taken`; nothing when more is taken than there is.
    #[must_use]
    pub const fn less(self, taken: Self) -> Self {
        if self.0 == u64::MAX { self } else { Self(self.0.saturating_sub(taken.0)) }
    }

    /// `self − taken` where the sign tells: negative when more is taken than there is.
    #[must_use]
    pub fn minus(self, taken: Self) -> i64 {
        let wide = i128::from(self.0) - i128::from(taken.0);
        i64::try_from(wide).unwrap_or(if wide < 0 { i64::MIN } else { i64::MAX })
    }

    /// The rounded-down percentage that this is of `whole`; nothing when the whole is nothing.
    #[must_use]
    pub fn percent_of(self, whole: Self) -> Option<u64> {
        u64::try_from(u128::from(self.0) * 100 / u128::from(std::num::NonZeroU64::new(whole.0)?.get())).ok()
    }
}

impl From<u32> for Connections {
    fn from(n: u32) -> Self {
        Self(u64::from(n))
    }
}

impl Add for Connections {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl Mul<u64> for Connections {
    type Output = Self;
    fn mul(self, times: u64) -> Self {
        Self(self.0.saturating_mul(times))
    }
}

impl Sum for Connections {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::ZERO, Add::add)
    }
}

impl fmt::Display for Connections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.bounded() {
            Some(n) => n.fmt(f),
            None => f.pad("unbounded"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unbounded_stays_unbounded() {
        let all = Connections::UNBOUNDED;
        assert_eq!(all + Connections::new(1), all);
        assert_eq!(all * 3, all);
        assert_eq!(all.less(Connections::new(5)), all);
        let no_pods = 0;
        assert_eq!(all * no_pods, Connections::ZERO);
        assert_eq!(all.to_string(), "unbounded");
    }

    #[test]
    fn never_negative_unless_asked() {
        let (two, five) = (Connections::new(2), Connections::new(5));
        assert_eq!(two.less(five), Connections::ZERO);
        assert_eq!(two.minus(five), -3);
        assert_eq!(two.minus(Connections::UNBOUNDED), i64::MIN);
        assert_eq!(five.percent_of(two), Some(250));
        assert_eq!(five.percent_of(Connections::ZERO), None);
    }
}
