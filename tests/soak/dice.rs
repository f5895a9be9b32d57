//! Numbers that look random and follow from the seed.

/// A generator (`SplitMix64`).
pub(crate) struct Dice(u64);

impl Dice {
    /// The dice of one of the cast: each has its own, so that what one does decides nothing for another.
    pub(crate) fn of(seed: u64, who: &str) -> Self {
        // FNV-1a.
        let name = who.bytes().fold(0xCBF2_9CE4_8422_2325, |hash: u64, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3)
        });
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ name)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below this one.
    pub(crate) fn below(&mut self, sides: u64) -> u64 {
        self.next() % sides
    }

    /// True once in so many times.
    pub(crate) fn one_in(&mut self, sides: u64) -> bool {
        self.below(sides) == 0
    }

    /// One of them.
    pub(crate) fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        let at = self.below(from.len() as u64);
        &from[usize::try_from(at).expect("below a length")]
    }

    /// Some of them, one at the least if there is one.
    pub(crate) fn some<T: Clone>(&mut self, from: &[T]) -> Vec<T> {
        let some: Vec<T> = from.iter().filter(|_| self.one_in(3)).cloned().collect();
        if some.is_empty() && !from.is_empty() { vec![self.pick(from).clone()] } else { some }
    }

    /// All of them, in another order.
    pub(crate) fn shuffled<T: Clone>(&mut self, from: &[T]) -> Vec<T> {
        let mut left = from.to_vec();
        let mut drawn = Vec::new();
        while !left.is_empty() {
            let at = self.below(left.len() as u64);
            drawn.push(left.swap_remove(usize::try_from(at).expect("below a length")));
        }
        drawn
    }
}
