//! The bytes of a log file, whether it is compressed or not. Knows no lines.
//!
//! A compressed file that is cut off or spoilt ends where it can be read no further: the files after it are whole, and are
//! not to be hidden by it. What of it is missing is kept until it is asked for.

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
    /// Why it can be read no further than to the position.
    spoilt: Option<io::Error>,
}

/// How much of a compressed file can be read, and why no more.
#[derive(Debug)]
pub(crate) struct Spoilt {
    /// Bytes that can be read.
    pub(crate) readable: u64,
    /// Bytes that it had, when its beginning still tells.
    pub(crate) whole: Option<u64>,
    /// What is wrong with what follows.
    pub(crate) cause: io::Error,
}

/// Enough of a compressed file to know how long it was (RFC 8878, 3.1.1: magic number and the longest frame header).
const HEADER: usize = 18;

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
        Ok(Self::Packed(Box::new(Packed { file, decoder, position: 0, spoilt: None })))
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

    /// What is wrong with it, when reading came to where it can be read no further.
    pub(crate) fn spoilt(&self) -> Option<Spoilt> {
        match self {
            Self::Plain(_) => None,
            Self::Packed(packed) => packed.spoilt(),
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
            (self.position, self.spoilt) = (0, None);
        }
        let mut skipped = vec![0; if offset > self.position { SKIP } else { 0 }];
        while self.position < offset {
            let most = usize::try_from(offset - self.position).unwrap_or(SKIP).min(SKIP);
            if self.decode(&mut skipped[..most])? == 0 {
                return Ok(0);
            }
        }
        self.decode(buffer)
    }

    /// Goes on in what it says; 0 at its end, or where it can be read no further.
    fn decode(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.spoilt.is_some() {
            return Ok(0);
        }
        match self.decoder.read(buffer) {
            // Nothing at all is what no compressed file says, however little is in it.
            Ok(0) if self.file.metadata()?.len() == 0 => {
                self.spoilt = Some(io::Error::new(io::ErrorKind::UnexpectedEof, "the file is empty"));
                Ok(0)
            }
            Ok(read) => {
                self.position += read as u64;
                Ok(read)
            }
            // The system's own words are about the disk, all others about what is in the file.
            Err(error) if error.raw_os_error().is_none() && error.kind() != io::ErrorKind::Interrupted => {
                self.spoilt = Some(error);
                Ok(0)
            }
            Err(error) => Err(error),
        }
    }

    fn spoilt(&self) -> Option<Spoilt> {
        let cause = self.spoilt.as_ref().map(|error| io::Error::new(error.kind(), error.to_string()))?;
        Some(Spoilt { readable: self.position, whole: self.whole(), cause })
    }

    fn whole(&self) -> Option<u64> {
        let mut header = [0; HEADER];
        let read = self.file.read_at(&mut header, 0).ok()?;
        zstd::zstd_safe::get_frame_content_size(&header[..read]).ok().flatten()
    }
}
