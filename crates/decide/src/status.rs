//! The sum of how several parts feel, in the words and the order of the wire.

use mainstay_model::Health;

/// The words that count more than others, the weightiest first.
const WEIGHTY: [Health; 7] = [
    Health::Failed,
    Health::Error,
    Health::Warning,
    Health::Degraded,
    Health::Startup,
    Health::Shutdown,
    Health::Busy,
];

/// How a whole feels whose parts feel like this: the weightiest word that is there; of well ones idle, if one is; nothing is
/// unknown, and a mix of which that cannot be said is a warning.
pub fn sum(parts: impl IntoIterator<Item = Health>) -> Health {
    let parts: Vec<Health> = parts.into_iter().collect();
    let weighty = WEIGHTY.into_iter().find(|word| parts.contains(word));
    match weighty {
        Some(word) => word,
        None if parts.is_empty() => Health::Unknown,
        None if parts.contains(&Health::Unknown) => Health::Warning,
        None if parts.contains(&Health::Idle) => Health::Idle,
        None => Health::Ok,
    }
}

#[cfg(test)]
mod tests {
    use mainstay_model::Health::{
        self, Busy, Degraded, Error, Failed, Idle, Ok, Shutdown, Startup, Unknown, Warning,
    };

    use super::sum;

    #[test]
    fn a_row_per_rule() {
        let rows: &[(&[Health], Health)] = &[
            (&[], Unknown),
            (&[Ok], Ok),
            (&[Idle], Idle),
            (&[Ok, Idle, Ok], Idle),
            (&[Ok, Busy, Idle], Busy),
            (&[Busy, Shutdown], Shutdown),
            (&[Shutdown, Startup], Startup),
            (&[Startup, Degraded, Busy], Degraded),
            (&[Degraded, Warning], Warning),
            (&[Warning, Error], Error),
            (&[Ok, Failed, Error], Failed),
            (&[Unknown], Warning),
            (&[Unknown, Ok], Warning),
            (&[Unknown, Busy], Busy),
        ];
        for (parts, expected) in rows {
            assert_eq!(sum(parts.iter().copied()), *expected, "{parts:?}");
        }
    }

    #[test]
    fn the_order_of_the_parts_does_not_matter_and_more_of_the_same_neither() {
        for one in Health::ALL {
            for other in Health::ALL {
                let both = sum([one, other]);
                assert_eq!(sum([other, one]), both);
                assert_eq!(sum([one, other, one]), both);
            }
        }
    }
}
