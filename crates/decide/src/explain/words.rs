//! Small turns of speech: lists, counts, who it was.

use super::Asker;

/// `a`, `a and b`, `a, b and c`.
pub(super) fn list(names: &[String]) -> String {
    match names {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

/// At most this many by name.
pub(super) fn list_few(names: &[String], most: usize) -> String {
    if names.len() <= most {
        return list(names);
    }
    let mut shown: Vec<String> = names.iter().take(most.saturating_sub(1)).cloned().collect();
    shown.push(format!("{} more", names.len() - shown.len()));
    list(&shown)
}

/// ` once`, ` twice`, ` 3 times`.
pub(super) fn times(count: u64) -> String {
    match count {
        1 => "once".to_owned(),
        2 => "twice".to_owned(),
        count => format!("{count} times"),
    }
}

/// `812 B`, `4.0 KiB`, `1.5 GiB`.
pub(super) fn bytes(count: u64) -> String {
    let units = [("GiB", 1_u64 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
    match units.into_iter().find(|(_, size)| count >= *size) {
        Some((unit, size)) => format!("{}.{} {unit}", count / size, count % size * 10 / size),
        None => format!("{count} B"),
    }
}

impl Asker {
    /// `root (pid 42)`, `user 1000`.
    pub(super) fn text(&self) -> String {
        let name = match (&self.name, self.uid) {
            (Some(name), _) => name.clone(),
            (None, 0) => "root".to_owned(),
            (None, uid) => format!("user {uid}"),
        };
        match self.pid {
            Some(pid) => format!("{name} (pid {pid})"),
            None => name,
        }
    }
}
