//! The orders in which services can be shown.

use std::cmp::Ordering;

use crate::roster::Service;

/// What is compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum SortKey {
    /// Nothing: dependencies come first.
    #[default]
    Order,
    /// Names, as text.
    Name,
    /// The largest share of a core first.
    Cpu,
    /// The largest memory first.
    Memory,
    /// The most restarts first.
    Restarts,
    /// What needs a person first.
    Phase,
    /// The latest change first.
    Since,
}

/// In the order in which the key goes through them.
pub(crate) const SORT_KEYS: [SortKey; 7] = [
    SortKey::Order,
    SortKey::Name,
    SortKey::Cpu,
    SortKey::Memory,
    SortKey::Restarts,
    SortKey::Phase,
    SortKey::Since,
];

/// Phases, worst first; words of later versions are worse than all, as nobody knows.
pub(crate) const URGENCY: [&str; 9] =
    ["failed", "isolated", "waiting", "starting", "stopping", "paused", "running", "completed", "stopped"];

/// Which way round.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Direction {
    /// As the key says.
    #[default]
    Natural,
    /// The other way round.
    Reversed,
}

/// An order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sort {
    pub(crate) key: SortKey,
    pub(crate) direction: Direction,
}

impl SortKey {
    /// The word for it.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Order => "order",
            Self::Name => "name",
            Self::Cpu => "cpu",
            Self::Memory => "memory",
            Self::Restarts => "restarts",
            Self::Phase => "phase",
            Self::Since => "since",
        }
    }

    /// Whether the largest comes first.
    fn descends(self) -> bool {
        matches!(self, Self::Cpu | Self::Memory | Self::Restarts | Self::Since)
    }
}

impl Sort {
    /// The next order.
    pub(crate) fn next(self) -> Self {
        let at = SORT_KEYS.iter().position(|key| *key == self.key).unwrap_or(0);
        Self { key: SORT_KEYS[(at + 1) % SORT_KEYS.len()], direction: Direction::Natural }
    }

    /// The other way round.
    pub(crate) fn reversed(self) -> Self {
        let direction = match self.direction {
            Direction::Natural => Direction::Reversed,
            Direction::Reversed => Direction::Natural,
        };
        Self { direction, ..self }
    }

    /// By this; the other way round, when it is so already.
    pub(crate) fn by(self, key: SortKey) -> Self {
        if self.key == key { self.reversed() } else { Self { key, direction: Direction::Natural } }
    }

    /// What shows the direction beside the heading.
    pub(crate) fn arrow(self) -> &'static str {
        let down = self.key.descends() == (self.direction == Direction::Natural);
        if down { "▼" } else { "▲" }
    }

    /// The order of two services; equal ones stay in the project's order.
    pub(crate) fn compare(self, a: &Service, b: &Service) -> Ordering {
        let ordering = match self.key {
            SortKey::Order => Ordering::Equal,
            SortKey::Name => natural(&a.id, &b.id),
            SortKey::Cpu => {
                let cpu = |service: &Service| service.view.cpu_percent.unwrap_or(-1.0);
                cpu(b).total_cmp(&cpu(a))
            }
            SortKey::Memory => b.view.memory_bytes.cmp(&a.view.memory_bytes),
            SortKey::Restarts => b.view.restarts.cmp(&a.view.restarts),
            SortKey::Phase => urgency(&a.view.phase).cmp(&urgency(&b.view.phase)),
            SortKey::Since => b.since.cmp(&a.since),
        };
        match self.direction {
            Direction::Natural => ordering,
            Direction::Reversed => ordering.reverse(),
        }
    }
}

fn urgency(phase: &str) -> usize {
    URGENCY.iter().position(|word| *word == phase).unwrap_or(0)
}

/// `api@2` before `api@10`: runs of digits count as numbers.
fn natural(a: &str, b: &str) -> Ordering {
    let digits = |text: &str| text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (mut a, mut b) = (a, b);
    loop {
        let (Some(x), Some(y)) = (a.chars().next(), b.chars().next()) else {
            return a.len().cmp(&b.len());
        };
        let (number_a, rest_a) = a.split_at(digits(a));
        let (number_b, rest_b) = b.split_at(digits(b));
        let (ordering, next) = if number_a.is_empty() || number_b.is_empty() {
            (x.cmp(&y), (&a[x.len_utf8()..], &b[y.len_utf8()..]))
        } else {
            let value = |text: &str| text.trim_start_matches('0').to_owned();
            let (x, y) = (value(number_a), value(number_b));
            (x.len().cmp(&y.len()).then_with(|| x.cmp(&y)), (rest_a, rest_b))
        };
        if ordering != Ordering::Equal {
            return ordering;
        }
        (a, b) = next;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_numbers_are_in_their_order() {
        let mut names = ["api@10", "api@2", "b", "api", "api@02x", "a9"];
        names.sort_by(|a, b| natural(a, b));
        assert_eq!(names, ["a9", "api", "api@2", "api@02x", "api@10", "b"]);
    }

    #[test]
    fn the_key_goes_through_all_of_them() {
        let mut sort = Sort::default();
        for _ in SORT_KEYS {
            sort = sort.next();
        }
        assert_eq!(sort, Sort::default());
        let cpu = sort.by(SortKey::Cpu);
        assert_eq!((cpu.arrow(), cpu.by(SortKey::Cpu).arrow()), ("▼", "▲"));
        assert_eq!(sort.by(SortKey::Name).arrow(), "▲");
    }
}
