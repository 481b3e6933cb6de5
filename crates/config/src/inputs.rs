//! What a project is made from: texts, variables and a way to get the texts of `env_file`s. All of it handed in.

use std::{
    collections::BTreeMap,
    fmt, io,
    path::{Path, PathBuf},
};

use crate::{
    Code, Problems,
    report::{Place, Report},
};

/// One file of the configuration: its text, and the path by which a person knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// As it is shown in a problem.
    pub path: PathBuf,
    /// What is in it.
    pub text: String,
}

/// What editors of Windows put at the beginning of a file in UTF-8; it means nothing.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// How a file in UTF-16 begins, in either order of its bytes.
const UTF_16: [&[u8]; 2] = [b"\xff\xfe", b"\xfe\xff"];

/// How much of a file that is no text is shown behind its first wrong byte.
const SHOWN_BYTES: usize = 40;

impl Source {
    /// The file of these bytes, which are text in UTF-8; a byte order mark before it is left out.
    ///
    /// # Errors
    /// The place of the first byte that is no such text.
    pub fn from_bytes(path: impl Into<PathBuf>, bytes: Vec<u8>) -> Result<Self, Problems> {
        let path = path.into();
        let text = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&bytes);
        match std::str::from_utf8(text) {
            Ok(text) => Ok(Self { path, text: text.to_owned() }),
            Err(error) => Err(not_utf8(&path, text, error.valid_up_to())),
        }
    }
}

fn not_utf8(path: &Path, bytes: &[u8], valid_up_to: usize) -> Problems {
    let (valid, rest) = bytes.split_at(valid_up_to);
    let line = rest.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let line = String::from_utf8_lossy(line.get(..SHOWN_BYTES).unwrap_or(line));
    // What is no text may hold what a terminal obeys.
    let shown = |text: &str| text.replace(|c: char| c.is_control() && c != '\n' && c != '\t', "\u{fffd}");
    let before = shown(&String::from_utf8_lossy(valid));
    let mut report = Report::default();
    let text = report.add_text(path, &format!("{before}{}", shown(&line)));
    let place = Place::new(text, before.len()..before.len() + '\u{fffd}'.len_utf8());
    let message = match rest.first() {
        Some(byte) => format!("the byte 0x{byte:02x} is no text in UTF-8"),
        None => "the text in UTF-8 breaks off".to_owned(),
    };
    let help = if UTF_16.iter().any(|mark| bytes.starts_with(mark)) {
        "the file begins as one in UTF-16 does: save it as UTF-8"
    } else {
        "save the file as UTF-8; in older encodings a letter like `é` is a byte of its own"
    };
    report.add(Code::NotUtf8, &place, message, help);
    report.into_problems()
}

/// What a project is made from.
pub struct Inputs<'a> {
    /// The main file, then its additions (`conf.d/*.toml`). None may set what another one sets.
    pub base: Vec<Source>,
    /// `mainstay.local.toml`: laid over the rest. Tables are merged by key, everything else is replaced.
    pub local: Option<Source>,
    /// Where the main file lies; absolute. Relative paths count from here, and its name is the project's default name.
    pub directory: PathBuf,
    /// The caller's environment: for `${VAR}`, and for what services inherit.
    pub variables: &'a BTreeMap<String, String>,
    /// Reads an `env_file`; it is given an absolute path whenever `directory` is one.
    pub read: &'a dyn Fn(&Path) -> io::Result<String>,
}

impl fmt::Debug for Inputs<'_> {
    /// Without the variables: they hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inputs")
            .field("base", &self.base.iter().map(|source| &source.path).collect::<Vec<_>>())
            .field("local", &self.local.as_ref().map(|source| &source.path))
            .field("directory", &self.directory)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(bytes: &[u8]) -> (usize, usize, String, String) {
        let problems = Source::from_bytes("shop.toml", bytes.to_vec()).unwrap_err();
        let problem = problems.iter().next().unwrap();
        assert_eq!((problem.code(), problem.path()), (Code::NotUtf8, Path::new("shop.toml")));
        assert!(!problem.plain().contains('\u{1b}'), "{}", problem.plain());
        (problem.line(), problem.column(), problem.message().to_owned(), problem.help().to_owned())
    }

    #[test]
    fn the_first_byte_that_is_no_text_has_a_place() {
        // Characters are counted, not bytes.
        let (line, column, message, help) = refused(b"a = 1\nb = \"\xc3\xa4 caf\xe9\"\nc = \"\xff\"\n");
        assert_eq!((line, column, message.as_str()), (2, 11, "the byte 0xe9 is no text in UTF-8"));
        assert!(help.contains("save the file as UTF-8"), "{help}");
        // A mark before it is no character of the first line.
        assert_eq!(refused(b"\xef\xbb\xbfab\x80").1, 3);
        // A sequence that is cut off begins at its first byte.
        assert_eq!(refused(b"a\n\xe2\x82").0, 2);
        let (line, column, _, help) = refused(b"\xff\xfe[\x00s\x00\x1b\x00");
        assert_eq!((line, column), (1, 1));
        assert!(help.contains("UTF-16"), "{help}");
    }

    #[test]
    fn a_line_without_an_end_is_shown_in_part() {
        let mut bytes = b"a = \xe9".to_vec();
        bytes.extend([b'x'; 100_000]);
        let problems = Source::from_bytes("shop.toml", bytes).unwrap_err();
        assert!(problems.plain().len() < 500, "{}", problems.plain());
    }

    #[test]
    fn text_is_taken_as_it_is_but_for_a_byte_order_mark() {
        let text = |bytes: &[u8]| Source::from_bytes("shop.toml", bytes.to_vec()).unwrap().text;
        assert_eq!(text(b"\xef\xbb\xbf[service.a]"), "[service.a]");
        assert_eq!(text("ä\r\n\u{feff}".as_bytes()), "ä\r\n\u{feff}");
        assert_eq!(text(b""), "");
    }
}
