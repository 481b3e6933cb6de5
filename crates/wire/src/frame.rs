//! Frames on a byte stream: four bytes of length, little endian, then that many bytes of JSON.

use serde::{Serialize, de::DeserializeOwned};

/// The longest frame, in bytes: a spawn with the largest environment that Linux accepts fits.
pub const FRAME_LIMIT: usize = 8 * 1024 * 1024;

/// A stream that no longer makes sense. The connection is of no further use.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// A length beyond the limit.
    #[error("a frame of {0} bytes is longer than the limit of {FRAME_LIMIT}")]
    TooLong(usize),
    /// No JSON, or not of this shape.
    #[error("a frame holds no message")]
    Malformed(#[from] serde_json::Error),
}

/// One message as a frame.
///
/// # Errors
/// [`FrameError::TooLong`], or a value that JSON cannot hold.
pub fn frame<T: Serialize>(message: &T) -> Result<Vec<u8>, FrameError> {
    let mut bytes = vec![0; 4];
    serde_json::to_writer(&mut bytes, message)?;
    let length = bytes.len() - 4;
    let header =
        u32::try_from(length).ok().filter(|_| length <= FRAME_LIMIT).ok_or(FrameError::TooLong(length))?;
    bytes[..4].copy_from_slice(&header.to_le_bytes());
    Ok(bytes)
}

/// Takes in bytes as they come and gives out whole messages. Holds at most one frame and what was read beyond it.
#[derive(Debug, Default)]
pub struct Frames {
    bytes: Vec<u8>,
    taken: usize,
}

impl Frames {
    /// Adds what was read.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.taken > 0 {
            self.bytes.drain(..self.taken);
            self.taken = 0;
        }
        self.bytes.extend_from_slice(bytes);
    }

    /// The next whole message, when there is one.
    ///
    /// # Errors
    /// See [`FrameError`]; after one, nothing more can be read.
    pub fn next_message<T: DeserializeOwned>(&mut self) -> Result<Option<T>, FrameError> {
        let rest = &self.bytes[self.taken..];
        let Some((header, body)) = rest.split_first_chunk::<4>() else { return Ok(None) };
        let length = u32::from_le_bytes(*header) as usize;
        if length > FRAME_LIMIT {
            return Err(FrameError::TooLong(length));
        }
        let Some(body) = body.get(..length) else { return Ok(None) };
        let message = serde_json::from_slice(body)?;
        self.taken += 4 + length;
        if self.taken == self.bytes.len() {
            // An idle keeper should not hold on to the largest frame that it ever saw.
            self.bytes = Vec::new();
            self.taken = 0;
        }
        Ok(Some(message))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_survive_any_cut_of_the_stream() {
        let stream: Vec<u8> = ["a", "bc", ""].iter().flat_map(|text| frame(text).unwrap()).collect();
        for cut in 0..=stream.len() {
            let mut frames = Frames::default();
            let mut seen: Vec<String> = Vec::new();
            for part in [&stream[..cut], &stream[cut..]] {
                frames.push(part);
                while let Some(text) = frames.next_message().unwrap() {
                    seen.push(text);
                }
            }
            assert_eq!(seen, ["a", "bc", ""]);
        }
    }

    #[test]
    fn a_length_beyond_the_limit_is_refused_before_anything_is_kept() {
        let mut frames = Frames::default();
        frames.push(&u32::MAX.to_le_bytes());
        assert!(matches!(frames.next_message::<String>(), Err(FrameError::TooLong(_))));
    }
}
