//! Numbers that look random and are the same for the same seed. Knows nothing of what they decide.

/// SplitMix64: <https://prng.di.unimi.it/splitmix64.c>.
#[derive(Clone, Debug)]
pub(super) struct Dice(u64);

impl Dice {
    /// Dice for this purpose: another one has other numbers.
    pub(super) fn new(seed: u64, purpose: &str) -> Self {
        let mix = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        Self(purpose.bytes().fold(seed ^ 0xcbf2_9ce4_8422_2325, mix))
    }

    /// Any number.
    pub(super) fn any(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// One of `from` to `to`, both included.
    pub(super) fn between(&mut self, from: u64, to: u64) -> u64 {
        from + self.any() % (to.saturating_sub(from) + 1)
    }

    /// One of these; the first of none is the default.
    pub(super) fn one_of<T: Copy + Default>(&mut self, all: &[T]) -> T {
        let index = self.any() % all.len().max(1) as u64;
        usize::try_from(index).ok().and_then(|index| all.get(index)).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_falls_alike_and_within_its_bounds() {
        let fall = |seed, purpose| {
            let mut dice = Dice::new(seed, purpose);
            (0..100).map(|_| dice.between(3, 7)).collect::<Vec<_>>()
        };
        assert_eq!(fall(1, "a"), fall(1, "a"));
        assert_ne!(fall(1, "a"), fall(1, "b"));
        assert_ne!(fall(1, "a"), fall(2, "a"));
        assert!((3..=7).all(|number| fall(1, "a").contains(&number)));
        assert!(fall(1, "a").iter().all(|number| (3..=7).contains(number)));
    }
}
