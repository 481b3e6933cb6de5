//! Single values of a project's files: what is in force, who says so, and what changes them. Every message and exit code.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "what a story needs and does not get has failed it"
)]

mod story;

use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt, symlink},
    process::Command,
};

use serde_json::json;
use story::{Project, Said};

const SHOP: &str = "\
# The shop.
[mainstay]
name = \"shop\" # shown in lists

[defaults]
restart = \"always\"
env = { LEVEL = \"info\" }

# The program itself.
[service.api]
command = [\"./api\", \"--token\", \"${API_TOKEN:-none}\"]
user = \"${WHO}\"
env_file = \".env\"
restart.delay = \"1s\" # how long
log.max_size = \"20MB\"

[service.api.env]
DB_PASSWORD = \"x y\"

[service.\"web.v2\"]
command = \"sleep 1000\"
";

fn shop() -> Project {
    let project = Project::new(SHOP);
    project.write(".env", "# Of this machine.\nLEVEL=debug\nMARK='a b'\n");
    project
}

fn run(project: &Project, arguments: &[&str]) -> Said {
    let words = [&["config"], arguments].concat();
    project.command(&words).env("WHO", "ann").env_remove("API_TOKEN").output().unwrap().into()
}

/// Standard output alone, and nothing on standard error.
#[track_caller]
fn prints(project: &Project, arguments: &[&str], out: &str) {
    let said = run(project, arguments).expect(0);
    assert_eq!((said.out.as_str(), said.err.as_str()), (out, ""), "{arguments:?}");
}

/// Standard error alone.
#[track_caller]
fn fails(project: &Project, arguments: &[&str], code: i32, err: &str) {
    let said = run(project, arguments).expect(code);
    assert_eq!((said.out.as_str(), said.err.as_str()), ("", err), "{arguments:?}");
}

#[test]
fn get_prints_what_is_in_force() {
    let shop = shop();
    prints(&shop, &["get", "mainstay.name"], "shop\n");
    prints(&shop, &["get", "service.api.restart.delay"], "1s\n");
    prints(&shop, &["get", "service.api.restart.policy"], "always\n");
    prints(&shop, &["get", "service.api.user"], "ann\n");
    prints(&shop, &["get", "service.api.instances"], "1\n");
    prints(&shop, &["get", "service.api.command"], "[\"./api\", \"--token\", \"none\"]\n");
    prints(&shop, &["get", "service.api.env.DB_PASSWORD"], "x y\n");
    prints(&shop, &["get", "service.api.env.MARK"], "a b\n");
    prints(&shop, &["get", "service.\"web.v2\".command"], "sleep 1000\n");
    prints(&shop, &["get", "defaults"], "env.LEVEL = \"info\"\nrestart.policy = \"always\"\n");
    prints(
        &shop,
        &["get", "service.*.env.LEVEL"],
        "# service.api.env.LEVEL = (hidden; --show-values)\nservice.\"web.v2\".env.LEVEL = \"info\"\n",
    );
    prints(&shop, &["get", "service.*.user"], "service.api.user = \"ann\"\n");
    prints(&shop, &["get", "service.api.stop"], "signal = \"TERM\"\ntimeout = \"10s\"\n");
}

#[test]
fn get_of_what_is_not_there() {
    let shop = shop();
    fails(
        &shop,
        &["get", "service.web.user"],
        5,
        "error: there is no service `web`\nhelp: there are: api, web.v2\n",
    );
    fails(
        &shop,
        &["get", "service.\"web.v2\".user"],
        1,
        "error: `service.\"web.v2\".user` is not set, and its default is no value\n\
         help: the default is: the user of Mainstay\n",
    );
    fails(
        &shop,
        &["get", "service.api.restart.dealy"],
        1,
        "error: there is no setting `dealy` in `service.api.restart`\nhelp: did you mean `delay`?\n",
    );
    fails(
        &shop,
        &["get", "api.user"],
        1,
        "error: there is no setting `api`\nhelp: did you mean `service.api.user`?\n",
    );
    fails(
        &shop,
        &["get", "service.api.limits"],
        1,
        "error: `limits` in `service.api` is not supported yet\n\
         help: a later version of Mainstay gives it a meaning\n",
    );
    fails(
        &shop,
        &["get", "service.api.env.NONE"],
        1,
        "error: `service.api.env.NONE` is not set, and has no default\n",
    );
    fails(
        &shop,
        &["get", "service.api.env_file.path"],
        1,
        "error: `service.api.env_file` is one value here, and nothing is below it\nhelp: it is \".env\"\n",
    );
    fails(&shop, &["get", "service.x*.user"], 1, "error: nothing that is set is called `service.x*.user`\n");
    run(&shop, &["get", "service..user"]).expect(2).says("is not a key: a part of it is empty");
    let said = run(&shop, &["get", "service.web.user", "--json"]).expect(5).json();
    assert_eq!(said["error"]["code"], "no-such-service");
}

#[test]
fn get_in_json_has_types() {
    let shop = shop();
    let get = |key: &str| run(&shop, &["get", key, "--json"]).expect(0).json();
    assert_eq!(
        get("service.api.restart.delay"),
        json!({ "schema_version": 1, "key": "service.api.restart.delay", "type": "duration", "value": "1s", "value_ms": 1000 })
    );
    assert_eq!(
        get("service.api.log.max_size"),
        json!({ "schema_version": 1, "key": "service.api.log.max_size", "type": "size", "value": "20MB", "value_bytes": 20_000_000 })
    );
    assert_eq!(get("service.api.rerun_unknown")["value"], json!(false));
    assert_eq!(get("service.api.stop")["value"], json!({ "signal": "TERM", "timeout": "10s" }));
    assert_eq!(get("service.api.env")["value"]["DB_PASSWORD"], json!(null));
    assert_eq!(
        get("service.*.user"),
        json!({ "schema_version": 1, "values": [
            { "key": "service.api.user", "type": "text", "value": "ann" },
            { "key": "service.\"web.v2\".user", "type": null, "value": null },
        ] })
    );
}

#[test]
fn explain_tells_where_each_value_comes_from() {
    let shop = shop();
    shop.write("mainstay.local.toml", "[service.api]\nrestart.delay = \"3s\"\n");
    let said = run(&shop, &["explain", "service.api.restart.delay"]).expect(0);
    assert_eq!(
        said.out,
        "service.api\n  restart.delay  \"3s\"  mainstay.local.toml:2:17\n    over         \"1s\"  mainstay.toml:14:17\n"
    );
    prints(
        &shop,
        &["explain", "service.api.env.LEVEL"],
        "service.api\n  env.LEVEL  (hidden; --show-values)  env_file .env:2\n    over     \"info\"                   [defaults] mainstay.toml:7:17\n",
    );
    prints(
        &shop,
        &["explain", "service.api.env.LEVEL", "--show-values"],
        "service.api\n  env.LEVEL  \"debug\"  env_file .env:2\n    over     \"info\"   [defaults] mainstay.toml:7:17\n",
    );
    prints(
        &shop,
        &["explain", "service.api.user"],
        "service.api\n  user  \"ann\"  mainstay.toml:12:8, ${WHO}\n",
    );
    // The variable is called as secrets are.
    prints(
        &shop,
        &["explain", "service.api.command"],
        "service.api\n  command  (hidden; --show-values)  mainstay.toml:11:11, ${API_TOKEN} (not set: its default)\n",
    );
    prints(
        &shop,
        &["explain", "service.\"web.v2\".restart.policy"],
        "service.\"web.v2\"\n  restart.policy  \"always\"  [defaults] mainstay.toml:6:11\n",
    );
    let api = run(&shop, &["explain", "api"]).expect(0).out;
    for line in [
        "  env.PATH                    ",
        "  instances                   1 ",
        "default: as soon as it runs; with `use` and no `command`: when it says so (`notify`); a oneshot: when it completed\n",
        "  env.DB_PASSWORD             (hidden; --show-values) ",
    ] {
        assert!(api.contains(line), "{line} in\n{api}");
    }
    assert!(!api.contains("x y") && !api.contains("debug"), "{api}");
    let all = run(&shop, &["explain"]).expect(0);
    assert_eq!(all.err, "note: without defaults and inherited variables; `--all` shows them\n");
    assert!(!all.out.contains("instances") && all.out.contains("service.\"web.v2\"\n"), "{}", all.out);
    assert!(run(&shop, &["explain", "--all"]).expect(0).out.contains("instances"));
    fails(&shop, &["explain", "web"], 5, "error: there is no service `web`\nhelp: there are: api, web.v2\n");
    assert!(run(&shop, &["explain", "web*"]).expect(0).out.starts_with("service.\"web.v2\"\n"));
}

#[test]
fn explain_in_json_names_every_origin() {
    let shop = shop();
    shop.write("mainstay.local.toml", "[service.api]\nrestart.delay = \"3s\"\n");
    let said = run(&shop, &["explain", "service.api", "--json"]).expect(0).json();
    let find = |key: &str| {
        let values = said["values"].as_array().unwrap().iter();
        values.clone().find(|value| value["key"] == format!("service.api.{key}")).unwrap().clone()
    };
    assert_eq!(
        find("restart.delay"),
        json!({
            "key": "service.api.restart.delay", "type": "duration", "value": "3s", "value_ms": 3000,
            "origin": { "kind": "file", "layer": "local", "section": "own", "file": "mainstay.local.toml", "line": 2, "column": 17 },
            "variables": [],
            "overridden": [{
                "key": "service.api.restart.delay", "type": "duration", "value": "1s", "value_ms": 1000,
                "origin": { "kind": "file", "layer": "main", "section": "own", "file": "mainstay.toml", "line": 14, "column": 17 },
            }],
        })
    );
    assert_eq!(find("env.PATH")["origin"], json!({ "kind": "caller" }));
    assert_eq!(
        find("env.MARK")["origin"],
        json!({ "kind": "env_file", "file": ".env", "line": 3, "column": 1 })
    );
    assert_eq!(find("env.MARK")["hidden"], json!(true));
    assert_eq!(find("restart.policy")["origin"]["section"], "defaults");
    assert_eq!(find("instances")["origin"], json!({ "kind": "default", "text": "1" }));
    assert_eq!(find("user")["variables"], json!([{ "name": "WHO", "by": "value" }]));
    assert_eq!(find("command")["variables"], json!([{ "name": "API_TOKEN", "by": "default" }]));
}

#[test]
fn set_changes_one_value_and_nothing_else() {
    let shop = shop();
    let said = run(&shop, &["set", "service.api.restart.delay", "5s"]).expect(0);
    assert_eq!(said.out, "service.api.restart.delay: \"1s\" -> \"5s\" in mainstay.toml:14\n");
    assert_eq!(said.err, "help: `mainstay up` makes it run\n");
    assert_eq!(shop.read("mainstay.toml"), SHOP.replace("\"1s\" # how long", "\"5s\" # how long"));
    prints(&shop, &["get", "service.api.restart.delay"], "5s\n");
    prints(
        &shop,
        &["set", "service.api.restart.delay", "5s"],
        "service.api.restart.delay: unchanged, mainstay.toml:14 says so already\n",
    );
    let said = run(&shop, &["set", "service.\"web.v2\".restart.delay", "2s", "-q"]).expect(0);
    assert_eq!(
        (said.out.as_str(), said.err.as_str()),
        ("service.\"web.v2\".restart.delay: \"1s\" (default) -> \"2s\" in mainstay.toml:22\n", "")
    );
    let said = run(&shop, &["set", "service.\"web.v2\".restart", "never"]).expect(0);
    assert_eq!(
        said.out,
        "service.\"web.v2\".restart.policy: \"always\" ([defaults] mainstay.toml:6:11) -> \"never\" in mainstay.toml:23\n"
    );
    assert!(shop.read("mainstay.toml").ends_with("restart.delay = \"2s\"\nrestart.policy = \"never\"\n"));
    let said = run(&shop, &["set", "service.\"web.v2\".working_dir", "-x", "--json"]).expect(0).json();
    assert_eq!(
        said,
        json!({
            "schema_version": 1, "key": "service.\"web.v2\".working_dir", "changed": true,
            "before": format!("\"{}\" (default)", fs::canonicalize(&shop.dir).unwrap().display()), "after": "\"-x\"",
            "file": "mainstay.toml", "line": 24,
        })
    );
    // What looks like a secret is not shown again.
    let said = run(&shop, &["set", "service.api.env.DB_PASSWORD", "geheim"]).expect(0);
    assert_eq!(said.out, "service.api.env.DB_PASSWORD: (hidden) in mainstay.toml:18\n");
}

#[test]
fn set_in_the_local_file() {
    let shop = shop();
    let said = run(&shop, &["set", "--local", "service.api.restart.delay", "7s"]).expect(0);
    assert_eq!(
        said.out,
        "service.api.restart.delay: \"1s\" (mainstay.toml:14:17) -> \"7s\" in mainstay.local.toml:2\n"
    );
    assert_eq!(shop.read("mainstay.local.toml"), "[service.api]\nrestart = { delay = \"7s\" }\n");
    assert_eq!(shop.read("mainstay.toml"), SHOP);
    // The other file may be changed too, and it is told what that is worth.
    let said = run(&shop, &["set", "service.api.restart.delay", "9s"]).expect(0);
    assert_eq!(
        said.err,
        "note: mainstay.local.toml:2:21 says otherwise and wins; `--local` changes that\nhelp: `mainstay up` makes it run\n"
    );
    let said = run(&shop, &["unset", "--local", "service.api.restart.delay"]).expect(0);
    assert_eq!(
        said.out,
        "service.api.restart.delay: \"7s\" -> \"9s\" (mainstay.toml:14:17), taken out of mainstay.local.toml:2\n"
    );
    shop.write("mainstay.local.toml", "[service.extra]\ncommand = \"x\"\n");
    fails(
        &shop,
        &["set", "service.extra.user", "x"],
        1,
        "error: `extra` is only in mainstay.local.toml\nhelp: `--local` changes it there\n",
    );
    run(&shop, &["set", "service.extra.user", "x", "--local"]).expect(0);
    fails(
        &shop,
        &["unset", "service.\"web.v2\".user"],
        1,
        "error: `service.\"web.v2\".user` is not said in the file; nothing was changed\n\
         help: `mainstay config explain` says where each value comes from\n",
    );
}

#[test]
fn unset_takes_a_value_out() {
    let shop = shop();
    let said = run(&shop, &["unset", "service.api.log.max_size"]).expect(0);
    assert_eq!(
        said.out,
        "service.api.log.max_size: \"20MB\" -> \"10MB\" (default), taken out of mainstay.toml:15\n"
    );
    let said = run(&shop, &["unset", "service.api.user"]).expect(0);
    assert_eq!(said.out, "service.api.user: \"${WHO}\" -> not set, taken out of mainstay.toml:12\n");
    assert_eq!(
        shop.read("mainstay.toml"),
        SHOP.replace("user = \"${WHO}\"\n", "").replace("log.max_size = \"20MB\"\n", "")
    );
    run(&shop, &["unset", "service.api.command"]).expect(6).says("`service.api` has no `command`");
    shop.write("mainstay.local.toml", "service.api.user = \"bob\"\n");
    fails(
        &shop,
        &["unset", "service.api.user"],
        1,
        "error: `service.api.user` is not said in the file; nothing was changed\n\
         help: mainstay.local.toml says it: `--local` takes it out there\n",
    );
}

#[test]
fn what_would_be_wrong_is_not_written() {
    let shop = shop();
    let said = run(&shop, &["set", "service.api.restart.delay", "5"]).expect(6);
    assert!(
        said.err.contains("mainstay.toml:14:17") && said.err.contains("help: write `5s` for seconds"),
        "{}",
        said.err
    );
    assert!(
        said.err.ends_with("error: the configuration has a problem; nothing was changed\n"),
        "{}",
        said.err
    );
    run(&shop, &["set", "service.api.depends_on", "[\"db\"]"]).expect(6).says("which is not described");
    run(&shop, &["set", "service.api.user", "${NOBODY_HAS_THIS}"]).expect(6).says("is not set");
    fails(
        &shop,
        &["set", "service.db.user", "x"],
        5,
        "error: there is no service `db`\nhelp: there are: api, web.v2\n",
    );
    fails(
        &shop,
        &["set", "service.api.usr", "x"],
        1,
        "error: there is no setting `usr` in `service.api`; nothing was changed\nhelp: did you mean `user`?\n",
    );
    fails(
        &shop,
        &["set", "service.*.user", "x"],
        1,
        "error: `service.*.user` is not one value; nothing was changed\nhelp: name each value by itself\n",
    );
    fails(
        &shop,
        &["set", "service.api", "x"],
        1,
        "error: `service.api` is no single setting; nothing was changed\nhelp: name a setting: `service.api.user`\n",
    );
    assert_eq!(shop.read("mainstay.toml"), SHOP);
    // A change that mends the file is welcome.
    shop.write("mainstay.toml", &SHOP.replace("\"1s\"", "\"1\""));
    run(&shop, &["get", "mainstay.name"]).expect(6);
    let said = run(&shop, &["set", "service.api.restart.delay", "1s"]).expect(0);
    assert_eq!(said.out, "service.api.restart.delay: \"1\" -> \"1s\" in mainstay.toml:14\n");
    assert_eq!(shop.read("mainstay.toml"), SHOP);
    shop.write("mainstay.toml", &format!("{SHOP}[service.x\n"));
    run(&shop, &["set", "mainstay.name", "x"]).expect(6).says("config::syntax").says("nothing was changed");
}

#[test]
fn a_comment_is_never_lost() {
    let text = "[service.api]\ncommand = [\n  \"./api\", # the program\n]\n";
    let project = Project::new(text);
    fails(
        &project,
        &["set", "service.api.command", "./other"],
        1,
        "error: the comment `# the program` would be lost; nothing was changed\nhelp: edit the file by hand there\n",
    );
    assert_eq!(project.read("mainstay.toml"), text);
}

#[test]
fn links_modes_owners_and_line_ends_stay() {
    let project = Project::new("");
    fs::create_dir(project.dir.join("real")).unwrap();
    let real = project.dir.join("real/shop.toml");
    fs::write(&real, b"\xef\xbb\xbf[service.api]\r\ncommand = \"x\"\r\n").unwrap();
    fs::set_permissions(&real, fs::Permissions::from_mode(0o640)).unwrap();
    let is_root = fs::metadata(&real).unwrap().uid() == 0;
    if is_root {
        std::os::unix::fs::chown(&real, Some(12_345), Some(54_321)).unwrap();
    }
    let before = fs::metadata(&real).unwrap();
    fs::remove_file(project.dir.join("mainstay.toml")).unwrap();
    symlink("real/shop.toml", project.dir.join("mainstay.toml")).unwrap();
    run(&project, &["set", "service.api.user", "ann"]).expect(0);
    assert_eq!(
        fs::read(&real).unwrap(),
        b"\xef\xbb\xbf[service.api]\r\ncommand = \"x\"\r\nuser = \"ann\"\r\n"
    );
    let after = fs::metadata(&real).unwrap();
    assert_eq!((after.mode(), after.uid(), after.gid()), (before.mode(), before.uid(), before.gid()));
    assert!(project.dir.join("mainstay.toml").is_symlink());
    assert_eq!(fs::read_dir(project.dir.join("real")).unwrap().count(), 1);
}

#[test]
fn many_at_once_lose_nothing() {
    let project = Project::new("[service.api]\ncommand = \"x\"\n");
    let mut all: Vec<_> = (0..8)
        .map(|number| {
            let key = format!("service.api.env.V{number}");
            project.command(&["config", "set", &key, "x"]).spawn().unwrap()
        })
        .collect();
    for child in &mut all {
        assert!(child.wait().unwrap().success());
    }
    let text = project.read("mainstay.toml");
    for number in 0..8 {
        assert!(text.contains(&format!("V{number} = \"x\"")), "{text}");
    }
}

#[test]
fn a_folder_that_nobody_may_write_to_is_named() {
    let project = Project::new("[service.api]\ncommand = \"x\"\n");
    if fs::metadata(&project.dir).unwrap().uid() == 0 {
        // Root may write everywhere but on what is not writable at all.
        let proc = project.dir.join("proc.toml");
        symlink("/proc/version", &proc).unwrap();
        run(&project, &["-f", "proc.toml", "set", "mainstay.name", "x"]).expect(6);
    } else {
        fs::set_permissions(&project.dir, fs::Permissions::from_mode(0o555)).unwrap();
        run(&project, &["set", "service.api.user", "x"]).expect(4).says("cannot write").says("mainstay.toml");
        fs::set_permissions(&project.dir, fs::Permissions::from_mode(0o755)).unwrap();
    }
}

#[test]
fn init_writes_a_first_file_and_never_overwrites() {
    let project = Project::new("");
    fs::remove_file(project.dir.join("mainstay.toml")).unwrap();
    let said = run(&project, &["init"]).expect(0);
    assert_eq!(said.out, "mainstay.toml: written, with one service that shows how it works\n");
    assert_eq!(said.err, "help: put your program in its place, then `mainstay check` and `mainstay up`\n");
    let text = project.read("mainstay.toml");
    assert!(text.contains("[service.hello]"), "{text}");
    let mode = fs::metadata(project.dir.join("mainstay.toml")).unwrap().mode() & 0o777;
    let umask = Command::new("sh").args(["-c", "umask"]).output().unwrap();
    let umask = u32::from_str_radix(String::from_utf8_lossy(&umask.stdout).trim(), 8).unwrap();
    assert_eq!(mode, 0o666 & !umask);
    project.run(&["check"]).expect(0).says("ok, 1 service");

    let path = fs::canonicalize(&project.dir).unwrap().join("mainstay.toml");
    project.write("mainstay.toml", "mine");
    fails(
        &project,
        &["init"],
        1,
        &format!("error: {} is there already\nhelp: it was not changed\n", path.display()),
    );
    assert_eq!(project.read("mainstay.toml"), "mine");
    // A link to nowhere is something as well.
    fs::remove_file(&path).unwrap();
    symlink("nowhere.toml", &path).unwrap();
    run(&project, &["init"]).expect(1).says("is there already");
    fs::remove_file(&path).unwrap();
    let said = run(&project, &["init", "--json"]).expect(0).json();
    assert_eq!(said, json!({ "schema_version": 1, "file": path.display().to_string() }));
    project.up().expect(0);
    project.wait_for_text(".mainstay/logs/hello/current", "hello, it is ");
    // It is tried out as it says.
    run(&project, &["set", "service.hello.command", "[\"sh\", \"-c\", \"echo set; sleep 1000\"]"]).expect(0);
    project.up().expect(0);
    project.wait_for_text(".mainstay/logs/hello/current", "set\n");
}

#[test]
fn without_a_project_only_init_has_something_to_do() {
    let project = Project::new("");
    fs::remove_file(project.dir.join("mainstay.toml")).unwrap();
    for words in [
        &["get", "mainstay.name"][..],
        &["explain"],
        &["set", "mainstay.name", "x"],
        &["unset", "mainstay.name"],
    ] {
        run(&project, words).expect(6).says("there is no project here");
    }
}
