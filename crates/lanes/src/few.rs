//! Lists with one value for each binding of a kernel: short ones lie in place, as a short call would wait for memory.

use std::ops::Deref;

/// Values up to which there is no allocation.
const FEW: usize = 8;

/// Values in their order.
#[derive(Clone, Debug)]
pub struct Few<T> {
    few: [T; FEW],
    /// All of them where they are more.
    many: Vec<T>,
    len: usize,
}

impl<T: Copy + Default> Few<T> {
    /// None.
    #[inline]
    pub fn new() -> Self {
        Few { few: [T::default(); FEW], many: Vec::new(), len: 0 }
    }

    /// Adds one at the end.
    #[inline]
    pub fn push(&mut self, value: T) {
        match self.few.get_mut(self.len) {
            Some(place) => *place = value,
            None => {
                if self.many.is_empty() {
                    self.many.extend(self.few);
                }
                self.many.push(value);
            }
        }
        self.len += 1;
    }
}

impl<T: Copy + Default> Default for Few<T> {
    fn default() -> Self {
        Few::new()
    }
}

impl<T> Deref for Few<T> {
    type Target = [T];

    #[inline]
    fn deref(&self) -> &[T] {
        if self.many.is_empty() { &self.few[..self.len] } else { &self.many }
    }
}

impl<T: Copy + Default> FromIterator<T> for Few<T> {
    #[inline]
    fn from_iter<I: IntoIterator<Item = T>>(values: I) -> Self {
        let mut few = Few::new();
        values.into_iter().for_each(|value| few.push(value));
        few
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_what_was_put_in_however_many() {
        for n in [0, 1, FEW - 1, FEW, FEW + 1, 3 * FEW] {
            let few: Few<usize> = (0..n).collect();
            assert_eq!(*few, *(0..n).collect::<Vec<_>>());
        }
    }
}
