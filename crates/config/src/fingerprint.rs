//! A number that tells whether the files on disk are still those that run. Not a defence against forgery.

use std::path::PathBuf;

use crate::Inputs;

/// The files of `inputs` and these `env_file`s as one number: the same today, tomorrow and on another machine (FNV-1a,
/// 64 bits). Of the path of a source only its last part counts, so that a relative and an absolute path agree.
///
/// With [`Project::env_files`](crate::Project::env_files) it equals [`Project::fingerprint`](crate::Project::fingerprint)
/// as long as no file changed, appeared or went away.
pub fn fingerprint(inputs: &Inputs<'_>, env_files: &[PathBuf]) -> u64 {
    let mut hash = Fnv::new();
    for source in inputs.base.iter().chain(&inputs.local) {
        hash.field(source.path.file_name().unwrap_or_default().as_encoded_bytes());
        hash.field(source.text.as_bytes());
    }
    for path in env_files {
        hash.field(path.as_os_str().as_encoded_bytes());
        match (inputs.read)(path) {
            Ok(text) => hash.field(text.as_bytes()),
            Err(_) => hash.absent(),
        }
    }
    hash.0
}

/// FNV-1a with 64 bits (<http://www.isthe.com/chongo/tech/comp/fnv/>).
struct Fnv(u64);

impl Fnv {
    const BASIS: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0000_0100_0000_01b3;

    fn new() -> Self {
        Self(Self::BASIS)
    }

    fn bytes(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(Self::PRIME);
        }
    }

    /// The length goes first, so that what moves from one field to the next changes the number.
    fn field(&mut self, bytes: &[u8]) {
        self.bytes(&(bytes.len() as u64).to_le_bytes());
        self.bytes(bytes);
    }

    /// No text has this length.
    fn absent(&mut self) {
        self.bytes(&u64::MAX.to_le_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_the_published_one() {
        let mut hash = Fnv::new();
        hash.bytes(b"foobar");
        assert_eq!(hash.0, 0x8594_4171_f739_67e8);
    }
}
