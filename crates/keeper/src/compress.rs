//! Compressing rotated log files, as a process of its own that can be killed at any moment. It knows no limits, and looks at
//! nothing but the files that it is told of.
//!
//! A file is compressed beside itself, the result gets its name in one step when it is whole, and only then the plain file
//! goes. Whoever reads finds the plain file, the compressed one, or for a moment both, which are the same.

use std::{
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    process::ExitCode,
};

use mainstay_host::{NO_LINKS, lower_priority};

use crate::{pump::parts_of, report::say};

/// Small and fast; each further level costs more than it saves (`zstd(1)`).
const LEVEL: i32 = 3;

/// What an unfinished file's name ends with.
const UNFINISHED: &str = ".zst.part";

/// Compresses the rotated files of this folder whose number is below.
pub fn compress_main(dir: &Path, below: u64) -> ExitCode {
    lower_priority();
    match compress_folder(dir, below) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(format_args!("cannot compress the logs in `{}`: {error}", dir.display()));
            ExitCode::FAILURE
        }
    }
}

fn compress_folder(dir: &Path, below: u64) -> io::Result<()> {
    let folder = File::open(dir)?;
    if folder.try_lock().is_err() {
        // One that a keeper before us began is still at it.
        return Ok(());
    }
    let mut plain: Vec<(u64, PathBuf)> = Vec::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let name = entry.file_name();
        let Some(name) = name.to_str() else { continue };
        match parts_of(name) {
            Some((_, number, true)) if number < below && name.ends_with(".log") => {
                plain.push((number, entry.path()));
            }
            // Nobody else is at work here: it is of one that was killed.
            None if name.starts_with(".@") && name.ends_with(UNFINISHED) => fs::remove_file(entry.path())?,
            Some(_) | None => {}
        }
    }
    plain.sort();
    plain.into_iter().try_for_each(|(_, path)| compress(dir, &path))
}

fn compress(dir: &Path, plain: &Path) -> io::Result<()> {
    let name = plain.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let packed = dir.join(format!("{name}.zst"));
    if !packed.exists() {
        let unfinished = dir.join(format!(".{name}{UNFINISHED}"));
        match pack(plain, &unfinished).and_then(|()| fs::rename(&unfinished, &packed)) {
            Ok(()) => {}
            // It was too old to be kept.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => {
                let _ = fs::remove_file(&unfinished);
                return Err(error);
            }
        }
    }
    crate::fault::point();
    match fs::remove_file(plain) {
        // It became too old meanwhile, and so is what was made of it.
        Err(error) if error.kind() == io::ErrorKind::NotFound => fs::remove_file(&packed),
        result => result,
    }
}

fn pack(plain: &Path, unfinished: &Path) -> io::Result<()> {
    let source = OpenOptions::new().read(true).custom_flags(NO_LINKS).open(plain)?;
    let data = source.metadata()?;
    let target = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .custom_flags(NO_LINKS)
        .open(unfinished)?;
    let mut encoder = zstd::Encoder::new(target, LEVEL)?;
    encoder.include_checksum(true)?;
    encoder.set_pledged_src_size(Some(data.len()))?;
    io::copy(&mut &source, &mut encoder)?;
    crate::fault::point();
    let target = encoder.finish()?;
    target.set_modified(data.modified()?)?;
    // The plain file goes: what takes its place must survive what that would have survived.
    target.sync_all()
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    fn unpacked(path: &Path) -> Vec<u8> {
        let mut bytes = Vec::new();
        zstd::Decoder::new(File::open(path).unwrap()).unwrap().read_to_end(&mut bytes).unwrap();
        bytes
    }

    #[test]
    fn files_below_the_number_become_compressed_and_the_rest_is_left_alone() {
        let dir = tempfile::TempDir::new().unwrap();
        let path = |name: &str| dir.path().join(name);
        for number in 1..=12 {
            fs::write(path(&format!("@T-{number}.log")), format!("{number}\n").repeat(5000)).unwrap();
        }
        fs::write(path("current"), "now\n").unwrap();
        // Killed between the two last steps, and in the middle.
        fs::write(path("@T-2.log.zst"), zstd::encode_all(&b"as it was\n"[..], 3).unwrap()).unwrap();
        fs::write(path(".@T-3.log.zst.part"), "half").unwrap();
        let before = fs::metadata(path("@T-1.log")).unwrap().modified().unwrap();
        compress_folder(dir.path(), 12).unwrap();
        assert_eq!(unpacked(&path("@T-1.log.zst")), "1\n".repeat(5000).as_bytes());
        assert_eq!(fs::metadata(path("@T-1.log.zst")).unwrap().modified().unwrap(), before);
        assert_eq!(unpacked(&path("@T-2.log.zst")), b"as it was\n");
        assert!(unpacked(&path("@T-11.log.zst")).starts_with(b"11\n"));
        assert!(path("@T-12.log").exists() && path("current").exists());
        let names: Vec<_> =
            fs::read_dir(dir.path()).unwrap().flatten().map(|entry| entry.file_name()).collect();
        assert_eq!(names.len(), 13, "{names:?}");
    }

    #[test]
    fn one_at_a_time() {
        let dir = tempfile::TempDir::new().unwrap();
        fs::write(dir.path().join("@T-1.log"), "1\n").unwrap();
        let folder = File::open(dir.path()).unwrap();
        folder.lock().unwrap();
        compress_folder(dir.path(), 5).unwrap();
        assert!(dir.path().join("@T-1.log").exists());
        drop(folder);
        compress_folder(dir.path(), 5).unwrap();
        assert!(!dir.path().join("@T-1.log").exists());
        assert!(compress_folder(&dir.path().join("none"), 5).is_err());
    }
}
