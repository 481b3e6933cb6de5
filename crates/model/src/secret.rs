//! What tells of a secret: by a variable's name, or by an address that holds a password.

/// Words in the name of a variable that tell of a secret, wherever in it they stand.
const WORDS: [&str; 7] = ["TOKEN", "PASSWORD", "PASSWD", "PASSPHRASE", "SECRET", "CREDENTIAL", "APIKEY"];

/// The same, for whole words between `_`.
const PARTS: [&str; 6] = ["KEY", "KEYS", "PASS", "PW", "PIN", "DSN"];

/// Whether the name of a variable tells of a secret.
pub fn names_secret(name: &str) -> bool {
    let upper = name.to_uppercase().replace(['-', '.'], "_");
    let part = |part: &str| PARTS.contains(&part) || part.ends_with("KEY");
    WORDS.iter().any(|word| upper.contains(word)) || upper.split('_').any(part) || upper.ends_with("_PWD")
}

/// Whether a text holds an address with a password: `scheme://user:password@host`.
pub fn holds_password(text: &str) -> bool {
    text.split("://").skip(1).any(|after| {
        let authority = after.split(['/', '?', '#', ' ', '"']).next().unwrap_or_default();
        authority.rsplit_once('@').is_some_and(|(who, _)| who.contains(':'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_tell_of_secrets() {
        for name in [
            "TOKEN",
            "GITHUB_TOKEN",
            "DB_PASSWORD",
            "db_password",
            "API_KEY",
            "APIKEY",
            "SSHKEY",
            "AWS_SECRET_ACCESS_KEY",
            "DB_PASS",
            "DB_PWD",
            "SENTRY_DSN",
            "MY-SECRET",
            "PRIVATE_KEY",
        ] {
            assert!(names_secret(name), "{name}");
        }
        for name in
            ["PATH", "PWD", "OLDPWD", "SSH_AUTH_SOCK", "KEYBOARD", "PASSING", "RUST_LOG", "PORT", "SHIPPING"]
        {
            assert!(!names_secret(name), "{name}");
        }
    }

    #[test]
    fn addresses_with_passwords() {
        assert!(holds_password("postgres://ann:x@db/shop") && holds_password("a --db=redis://:x@h:1"));
        assert!(
            !holds_password("http://h:80/a@b:c")
                && !holds_password("ann@h:1")
                && !holds_password("ssh://git@h:22")
        );
    }
}
