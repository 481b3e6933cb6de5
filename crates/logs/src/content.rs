//! The bytes of a log file, whether it is compressed or not. Knows no lines.

use std::{
    fs::File,
    io::{self, BufReader, Read, Seek, SeekFrom},
    os::unix::fs::FileExt,
};

/// Bytes thrown away at once to get to a place in a compressed file.
const SKIP: usize = 64 * 1024;

/// An open log file.
pub(crate) enum Content {
    /// As it was written.
    Plain(File),
    /// Compressed; only read from its beginning on.
    Packed(Box<Packed>),
}

/// A compressed file, and how far it was read.
pub(crate) struct Packed {
    file: File,
    decoder: zstd::Decoder<'static, BufReader<File>>,
    position: u64,
}

impl std::fmt::Debug for Content {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Plain(file) => f.debug_tuple("Plain").field(file).finish(),
            Self::Packed(packed) => f.debug_tuple("Packed").field(&packed.file).finish(),
        }
    }
}

impl Content {
    /// A compressed file.
    pub(crate) fn packed(file: File) -> io::Result<Self> {
        let decoder = zstd::Decoder::new(file.try_clone()?)?;
        Ok(Self::Packed(Box::new(Packed { file, decoder, position: 0 })))
    }

    /// The file as the system knows it.
    pub(crate) fn file(&self) -> &File {
        match self {
            Self::Plain(file) => file,
            Self::Packed(packed) => &packed.file,
        }
    }

    /// Reads at this place; 0 at the end.
    pub(crate) fn read_at(&mut self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        loop {
            let read = match self {
                Self::Plain(file) => file.read_at(buffer, offset),
                Self::Packed(packed) => packed.read_at(buffer, offset),
            };
            match read {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => return read,
            }
        }
    }

    /// Whether this place is the beginning of a line.
    pub(crate) fn begins_line(&mut self, offset: u64) -> io::Result<bool> {
        let mut before = [0];
        Ok(offset == 0 || self.read_at(&mut before, offset - 1)? == 0 || before == *b"\n")
    }
}

impl Packed {
    fn read_at(&mut self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        if offset < self.position {
            self.file.seek(SeekFrom::Start(0))?;
            self.decoder = zstd::Decoder::new(self.file.try_clone()?)?;
            self.position = 0;
        }
        let mut skipped = vec![0; if offset > self.position { SKIP } else { 0 }];
        while self.position < offset {
            let most = usize::try_from(offset - self.position).unwrap_or(SKIP).min(SKIP);
            match self.decoder.read(&mut skipped[..most])? {
                0 => return Ok(0),
                read => self.position += read as u64,
            }
        }
        let read = self.decoder.read(buffer)?;
        self.position += read as u64;
        Ok(read)
    }
}
