//! Real files: folders that are ours alone, and replacement as a whole.

use std::{
    fs,
    os::unix::fs::{FileExt, MetadataExt, PermissionsExt, symlink},
};

use mainstay_host::{
    Durability, HostError, effective_uid, halve_file, lookup_user, open_private, private_dir, sheltered_dir,
    write_atomic,
};
use tempfile::TempDir;

#[test]
fn a_private_folder_is_made_with_its_parents_and_mended() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("a/b");
    private_dir(&path).unwrap();
    for made in [&path, &dir.path().join("a")] {
        assert_eq!(fs::metadata(made).unwrap().mode() & 0o7777, 0o700);
    }
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    private_dir(&path).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o700);
}

#[test]
fn a_link_a_file_and_a_stranger_are_refused() {
    let dir = TempDir::new().unwrap();
    let link = dir.path().join("link");
    symlink("/tmp", &link).unwrap();
    assert!(matches!(private_dir(&link), Err(HostError::Link { .. })));
    symlink("/no/such/place", dir.path().join("dangling")).unwrap();
    assert!(private_dir(&dir.path().join("dangling")).is_err());
    let file = dir.path().join("file");
    fs::write(&file, "").unwrap();
    assert!(matches!(private_dir(&file), Err(HostError::NotFolder { .. })));
    if effective_uid() == 0 {
        let foreign = dir.path().join("foreign");
        fs::create_dir(&foreign).unwrap();
        std::os::unix::fs::chown(&foreign, Some(1234), None).unwrap();
        let error = private_dir(&foreign).unwrap_err();
        assert!(error.to_string().ends_with("belongs to user 1234, and this is user 0"), "{error}");
    }
}

#[test]
fn a_folder_in_somebody_elses_is_not_ours_alone() {
    let dir = TempDir::new().unwrap();
    let (above, path) = (dir.path().join("above"), dir.path().join("above/folder"));
    sheltered_dir(&path).unwrap();
    for made in [&above, &path] {
        assert_eq!(fs::metadata(made).unwrap().mode() & 0o7777, 0o700);
    }
    sheltered_dir(&path).unwrap();
    let link = dir.path().join("link");
    symlink(&above, &link).unwrap();
    assert!(matches!(sheltered_dir(&link.join("folder")), Err(HostError::Link { .. })));
    if effective_uid() == 0 {
        std::os::unix::fs::chown(&above, Some(1234), None).unwrap();
        assert!(matches!(sheltered_dir(&path), Err(HostError::ForeignOwner { owner: 1234, .. })));
        assert!(private_dir(&path).is_ok(), "only what is above it is wrong");
        // Whose something is counts before what it is.
        std::os::unix::fs::lchown(&link, Some(1234), None).unwrap();
        assert!(matches!(private_dir(&link), Err(HostError::ForeignOwner { owner: 1234, .. })));
    }
}

#[test]
fn of_a_log_that_is_too_long_the_latest_lines_stay() {
    use std::io::Write;
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("log");
    let mut log = fs::OpenOptions::new().append(true).create(true).open(&path).unwrap();
    for number in 0..1000 {
        writeln!(log, "line {number:04}").unwrap();
        halve_file(&log, 1000).unwrap();
        assert!(fs::metadata(&path).unwrap().len() <= 1000);
    }
    let text = fs::read_to_string(&path).unwrap();
    let numbers: Vec<u32> =
        text.lines().map(|line| line.strip_prefix("line ").unwrap().parse().unwrap()).collect();
    assert!(numbers.len() >= 49, "{numbers:?}");
    assert!(
        numbers.iter().rev().zip((0..1000).rev()).all(|(number, expected)| *number == expected),
        "{numbers:?}"
    );
    halve_file(std::io::stdin(), 0).unwrap();
}

#[test]
fn a_private_file_is_made_or_kept_and_no_link_is_followed() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("slot");
    open_private(&path).unwrap().write_all_at(b"kept", 0).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o600);
    open_private(&path).unwrap().write_all_at(b"l", 0).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "lept");
    let link = dir.path().join("link");
    symlink(&path, &link).unwrap();
    assert!(open_private(&link).is_err());
}

#[test]
fn a_file_is_replaced_as_a_whole_and_nothing_else_stays() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("state.json");
    for (text, durability) in [("one", Durability::Renamed), ("two", Durability::Synced)] {
        write_atomic(&path, text.as_bytes(), durability).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
    }
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o600);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    let error = write_atomic(&dir.path().join("none/state"), b"", Durability::Renamed).unwrap_err();
    assert!(error.to_string().starts_with("cannot write `"), "{error}");
}

#[test]
fn users_are_found_by_name_and_by_number() {
    let root = lookup_user("root").unwrap();
    assert_eq!((root.uid, root.gid), (0, 0));
    assert!(root.groups.contains(&0));
    assert_eq!(lookup_user("0").unwrap(), root);
    for none in ["no-such-user-here", "4000000000", "", "a\0b"] {
        assert!(matches!(lookup_user(none), Err(HostError::NoSuchUser { .. })), "{none}");
    }
}
