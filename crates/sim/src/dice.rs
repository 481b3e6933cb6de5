//! Random numbers from a seed: the same on every machine, and good enough to shake things. Nothing secret comes from here.

use std::time::Duration;

/// A stream of numbers (splitmix64: a counter through a mixing function).
#[derive(Clone, Debug)]
pub(crate) struct Dice(u64);

impl Dice {
    /// The stream of this seed.
    pub(crate) fn new(seed: u64) -> Self {
        let mut dice = Self(seed.wrapping_mul(0xA24B_AED4_963E_E407));
        dice.roll();
        dice
    }

    /// Another stream, which does not move this one again.
    pub(crate) fn split(&mut self) -> Self {
        Self::new(self.roll())
    }

    /// A number of 64 random bits.
    pub(crate) fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `limit`; 0 when that is 0.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        let limit = u64::try_from(limit).unwrap_or(u64::MAX).max(1);
        usize::try_from(self.roll() % limit).unwrap_or(0)
    }

    /// True this often in a hundred.
    pub(crate) fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    /// One of these.
    pub(crate) fn pick<T: Copy, const N: usize>(&mut self, choices: [T; N]) -> T {
        choices[self.below(N)]
    }

    /// A span of up to this many milliseconds.
    pub(crate) fn up_to_ms(&mut self, most: u64) -> Duration {
        Duration::from_micros(self.roll() % (most * 1000 + 1))
    }

    /// A span whose size is as likely milliseconds as minutes.
    pub(crate) fn any_span(&mut self) -> Duration {
        let scale = self.pick([1, 10, 100, 1_000, 10_000, 100_000, 1_000_000]);
        self.up_to_ms(scale)
    }

    /// Puts these into any order.
    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_is_a_stream_and_every_face_comes_up() {
        let rolls = |seed| {
            let mut dice = Dice::new(seed);
            [dice.roll(), dice.roll(), dice.roll()]
        };
        assert_eq!(rolls(7), rolls(7));
        assert_ne!(rolls(7), rolls(8));
        let mut dice = Dice::new(1);
        let mut faces = [0; 6];
        for _ in 0..6_000 {
            faces[dice.below(6)] += 1;
        }
        assert!(faces.iter().all(|count| (800..1200).contains(count)), "{faces:?}");
    }
}
