//! Plants one breach after the other in a copy of parts of this very checkout, and expects exactly the message that it earns.

use std::{
    fs,
    path::{Path, PathBuf},
};

use tempfile::TempDir;

use super::{floors, of_files, weight};
use crate::repo;

/// The one room whose sources are in the copy: to read those of all would take most of the time, and show nothing more.
const WHOLE: &str = "crates/model";

/// A copy of the manifests and of one room, with what was wrong before anything was planted.
struct Copy {
    dir: TempDir,
    before: Vec<String>,
}

impl Copy {
    fn new() -> Self {
        let (root, dir) = (repo::root(), TempDir::new().unwrap());
        copy(&root.join("Cargo.toml"), &dir.path().join("Cargo.toml"));
        let of_crate = |dir: PathBuf| ["Cargo.toml", "clippy.toml"].map(|name| dir.join(name));
        let manifests = repo::crate_dirs(&root).unwrap().into_iter().flat_map(of_crate);
        let sources = repo::files(&root.join(WHOLE), "rs").unwrap();
        for file in manifests.filter(|file| file.is_file()).chain(sources) {
            copy(&file, &dir.path().join(repo::shown(&root, &file)));
        }
        let before = said(dir.path());
        Self { dir, before }
    }

    fn path(&self, path: &str) -> PathBuf {
        self.dir.path().join(path)
    }

    fn write(&self, path: &str, text: &str) -> &Self {
        fs::create_dir_all(self.path(path).parent().unwrap()).unwrap();
        fs::write(self.path(path), text).unwrap();
        self
    }

    fn append(&self, path: &str, text: &str) -> &Self {
        let old = fs::read_to_string(self.path(path)).unwrap();
        self.write(path, &format!("{old}{text}"))
    }

    fn replace(&self, path: &str, from: &str, to: &str) -> &Self {
        let old = fs::read_to_string(self.path(path)).unwrap();
        assert!(old.contains(from), "{path} holds no `{from}`");
        self.write(path, &old.replacen(from, to, 1))
    }

    /// What is said now and was not before.
    fn news(&self) -> Vec<String> {
        said(self.dir.path()).into_iter().filter(|line| !self.before.contains(line)).collect()
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to.parent().unwrap()).unwrap();
    fs::copy(from, to).unwrap();
}

fn said(root: &Path) -> Vec<String> {
    of_files(root).unwrap().iter().map(ToString::to_string).collect()
}

#[test]
fn an_import_that_goes_up_is_refused() {
    let copy = Copy::new();
    copy.append("crates/model/Cargo.toml", "\n[dev-dependencies]\nmainstay-daemon.workspace = true\n");
    assert_eq!(
        copy.news(),
        ["crates/model/Cargo.toml: imports `daemon` upwards: from floor 0 to floor 4\n    \
          imports go to lower floors only: move what both need down, or hand it in as a value"]
    );
}

#[test]
fn an_import_sideways_is_refused_behind_a_target_and_a_rename_too() {
    let copy = Copy::new();
    copy.append(
        "crates/wire/Cargo.toml",
        "\n[target.'cfg(windows)'.build-dependencies]\nsettings = { package = \"mainstay-config\", path = \"../config\" }\n",
    );
    assert_eq!(
        copy.news(),
        ["crates/wire/Cargo.toml: imports `config` sideways: both are on floor 1\n    \
          rooms on one floor are blind to each other: move the shared noun down, or join the two one floor up"]
    );
}

#[test]
fn a_product_crate_never_imports_a_developers_one() {
    let copy = Copy::new();
    copy.append(
        "crates/cli/Cargo.toml",
        "\n[target.'cfg(all())'.dev-dependencies]\nmainstay-sim = { path = \"../sim\" }\n",
    );
    assert_eq!(
        copy.news(),
        ["crates/cli/Cargo.toml: imports `sim`, which is outside the product\n    \
          no product crate depends on a developer's one, tests included: put the test there instead"]
    );
}

#[test]
fn an_import_of_an_unknown_room_is_refused() {
    let copy = Copy::new();
    copy.append(
        "crates/cli/Cargo.toml",
        "\n[build-dependencies]\nmainstay-attic = { path = \"../attic\" }\n",
    );
    assert_eq!(
        copy.news(),
        ["crates/cli/Cargo.toml: imports `mainstay-attic`, which is no room in the table of floors\n    \
          add it to ROOMS in crates/xtask/src/tidy/floors.rs, or drop the import"]
    );
}

#[test]
fn a_crate_that_is_not_in_the_table_is_refused() {
    let copy = Copy::new();
    let manifest = "[package]\nname = \"mainstay-attic\"\n[lints]\nworkspace = true\n";
    copy.write("crates/attic/Cargo.toml", manifest).write("crates/attic/src/lib.rs", "//! The attic.\n");
    copy.write("crates/utils/Cargo.toml", manifest);
    assert_eq!(
        copy.news(),
        [
            "crates/attic/Cargo.toml: room `attic` is not in the table of floors\n    \
             add it to ROOMS in crates/xtask/src/tidy/floors.rs and to docs/architecture.md, with what it must never do",
            "crates/utils/Cargo.toml: a room called `utils` has no \"must never\"\n    \
             name it after its one thought, or put each part where it is used",
        ]
    );
}

#[test]
fn a_crate_without_the_lints_or_with_another_name_is_reported() {
    let copy = Copy::new();
    copy.replace("crates/decide/Cargo.toml", "[lints]\nworkspace = true\n", "");
    copy.replace("crates/decide/Cargo.toml", "mainstay-decide", "decide");
    assert_eq!(
        copy.news(),
        [
            "crates/decide/Cargo.toml: the package of room `decide` is called `decide`\n    call it `mainstay-decide`",
            "crates/decide/Cargo.toml: does not inherit the workspace's lints\n    \
             add `[lints]` with `workspace = true`",
        ]
    );
}

#[test]
fn a_pure_room_keeps_its_bans() {
    let copy = Copy::new();
    copy.replace("crates/model/clippy.toml", "std::time::Instant::now", "std::time::Instant::elapsed");
    fs::remove_file(copy.path("crates/config/clippy.toml")).unwrap();
    assert_eq!(
        copy.news(),
        [
            "crates/model/clippy.toml: the pure room `model` does not ban std::time::Instant::now\n    \
             add each to `disallowed-methods`, with its reason",
            "crates/config/clippy.toml: the pure room `config` has no `clippy.toml`\n    \
             copy crates/model/clippy.toml: it bans clocks, files and threads",
        ]
    );
}

#[test]
fn unsafe_code_lives_in_host_alone() {
    let copy = Copy::new();
    let code = "//! Speaks of unsafe things.\n/// unsafe\nconst WORD: &str = \"unsafe { }\";\n";
    copy.write("crates/host/src/planted.rs", "//! Planted.\nunsafe fn reach() {}\n");
    copy.write("crates/keeper/src/planted.rs", code);
    assert_eq!(copy.news(), [""; 0]);
    copy.append("crates/keeper/src/planted.rs", "fn reach() { if true { unsafe {} } }\n");
    assert_eq!(
        copy.news(),
        ["crates/keeper/src/planted.rs:4: `unsafe` outside of `host`\n    \
          `host` alone has it: give it a safe function there"]
    );
}

#[test]
fn code_for_one_system_lives_in_host_alone() {
    let copy = Copy::new();
    let code = "//! Planted.\n#[cfg(not(any(test, unix)))]\nfn one() {}\nfn two() -> bool { cfg!(target_os = \"linux\") }\n";
    copy.write("crates/host/src/planted.rs", code).write("crates/keeper/tests/planted.rs", code);
    assert_eq!(copy.news(), [""; 0]);
    copy.write("crates/keeper/src/planted.rs", code).write("crates/model/tests/planted.rs", code);
    let help = "    `host` alone knows systems: put the difference behind one of its functions";
    assert_eq!(
        copy.news(),
        [
            format!("crates/keeper/src/planted.rs:2: `cfg(unix…)` outside of `host`\n{help}"),
            format!("crates/keeper/src/planted.rs:4: `cfg(target_os…)` outside of `host`\n{help}"),
            format!("crates/model/tests/planted.rs:2: `cfg(unix…)` outside of `host`\n{help}"),
            format!("crates/model/tests/planted.rs:4: `cfg(target_os…)` outside of `host`\n{help}"),
        ]
    );
}

#[test]
fn sources_are_whole_small_and_introduced() {
    let copy = Copy::new();
    let unfinished =
        concat!("//! Planted.\n// TO", "DO: later\n#[test]\n#[ignore = \"slow\"]\nfn slow() {}\n");
    copy.write("crates/logs/src/unfinished.rs", unfinished);
    copy.write("crates/logs/src/long.rs", &format!("//! Planted.\n{}", "// A line.\n".repeat(600)));
    copy.write("crates/logs/tests/long.rs", &format!("//! Planted.\n{}", "// A line.\n".repeat(600)));
    copy.write("crates/logs/src/silent.rs", "fn nothing() {}\n");
    copy.write(
        "crates/logs/tests/skips.rs",
        concat!("//! Planted.\nfn miss() { println!(\"skip", "ped: no redis\"); }\n"),
    );
    assert_eq!(
        copy.news(),
        [
            "crates/logs/src/long.rs: has 601 lines; 600 is the end\n    a file is one thought: split it",
            "crates/logs/src/silent.rs: does not open with a `//!` sentence\n    \
             say what the file is for and what it refuses to know",
            concat!(
                "crates/logs/src/unfinished.rs:2: holds a `TO",
                "DO`\n    ",
                "do it, or file it where work is planned"
            ),
            "crates/logs/src/unfinished.rs:4: an ignored test\n    \
             a test that cannot run says `skipped: ` with the reason",
            "crates/logs/tests/skips.rs: has a test that can be skipped, and never asks whether `CI` is set\n    \
             panic with the same reason when `CI` is set: CI has everything that tests need",
        ]
    );
}

#[test]
fn pages_point_at_what_exists() {
    let copy = Copy::new();
    copy.write("docs/there.md", "# There\n");
    copy.write(
        "docs/page.md",
        "[here](there.md#part), [away](https://example.org/x), `crates/ROOM/src/`, `crates/model/src/exit.rs`\n\
         [gone](../attic.md), `crates/model/src/attic.rs`\n",
    );
    assert_eq!(
        copy.news(),
        [
            "docs/page.md:2: links to `../attic.md`, which does not exist\n    mend the link",
            "docs/page.md:2: speaks of `crates/model/src/attic.rs`, which does not exist\n    \
             say where it is now: pages are kept true",
        ]
    );
}

/// A workspace of our own: keeper → host → pipes → tokio, and a test of keeper that uses tokio too.
#[test]
fn a_heavy_library_is_found_however_many_steps_away() {
    let dir = TempDir::new().unwrap();
    let member = |folder: &str, name: &str, rest: &str| {
        let text = format!("[package]\nname = \"{name}\"\nversion = \"1.0.0\"\nedition = \"2024\"\n{rest}");
        fs::create_dir_all(dir.path().join(folder).join("src")).unwrap();
        fs::write(dir.path().join(folder).join("Cargo.toml"), text).unwrap();
        fs::write(dir.path().join(folder).join("src/lib.rs"), "").unwrap();
    };
    let needs =
        |kind: &str, name: &str, path: &str| format!("[{kind}]\n{name} = {{ path = \"../{path}\" }}\n");
    fs::write(dir.path().join("Cargo.toml"), "[workspace]\nresolver = \"3\"\nmembers = [\"crates/*\"]\n")
        .unwrap();
    member("crates/tokio", "tokio", "");
    member("crates/pipes", "pipes", &needs("build-dependencies", "tokio", "tokio"));
    member("crates/host", "mainstay-host", &needs("dependencies", "pipes", "pipes"));
    member("crates/logs", "mainstay-logs", &needs("dev-dependencies", "axum", "axum"));
    member("crates/axum", "axum", "");
    member("crates/keeper", "mainstay-keeper", &needs("dependencies", "mainstay-host", "host"));
    crate::read_output(repo::cargo().current_dir(dir.path()).args(["generate-lockfile", "--offline"]))
        .unwrap();
    let problems = weight::problems(&repo::read_metadata(dir.path()).unwrap()).unwrap();
    let help = "    cut the way at its first step, or turn a feature off";
    let said: Vec<String> = problems.iter().map(ToString::to_string).collect();
    assert_eq!(
        said,
        [
            format!(
                "crates/host/Cargo.toml: reaches `tokio`, which it must never: mainstay-host → pipes → tokio\n{help}"
            ),
            format!(
                "crates/keeper/Cargo.toml: reaches `tokio`, which it must never: \
                 mainstay-keeper → mainstay-host → pipes → tokio\n{help}"
            ),
        ]
    );
}

#[test]
fn the_table_names_each_room_once_and_the_pure_ones_first() {
    let mut names: Vec<&str> = floors::ROOMS.iter().map(|room| room.name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), floors::ROOMS.len());
    assert_eq!(
        floors::pure_rooms().collect::<Vec<_>>(),
        ["model", "macros", "decide", "native", "config", "wire"]
    );
}

#[test]
fn the_page_of_bounds_names_what_is_there() {
    let copy = Copy::new();
    let page = "| what | at most | constant | beyond it | shown by |\n| --- | --- | --- | --- | --- |\n\
        | a name | 64 | `model::NAME_LIMIT` | refused | `model::fields_are_checked` |\n\
        | another | 1 | `model::NO_LIMIT`, NAME_LIMIT | refused | `attic::nothing` |\n\
        | it | has | four | cells |\n| by its owner | one | `model::nothing` |\n";
    let lines = copy.write("docs/guides/bounds.md", page).news();
    let lines: Vec<&str> = lines.iter().filter_map(|line| line.lines().next()).collect();
    let named = |line: usize, what: &str| {
        format!("docs/guides/bounds.md:{line}: names the {what}, which is not there")
    };
    assert_eq!(
        lines,
        [
            named(3, "test `model::fields_are_checked`"),
            named(4, "constant `model::NO_LIMIT`"),
            named(4, "constant NAME_LIMIT"),
            named(4, "test `attic::nothing`"),
            "docs/guides/bounds.md:5: has a row of 4 cells".to_owned(),
            named(6, "test `model::nothing`"),
        ]
    );
}
