//! Software that nobody here wrote: PostgreSQL, redis and nginx from Debian's packages as one project.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "what a story needs and does not get has failed it"
)]

mod story;

use std::{path::Path, process::Command};

use story::{Project, Said, free_port, is_alive, wait_until};

fn program(candidates: &[&str]) -> Option<String> {
    candidates.iter().find(|path| Path::new(path).exists()).map(|path| (*path).to_owned())
}

fn postgres_bin() -> Option<String> {
    let mut versions: Vec<_> =
        std::fs::read_dir("/usr/lib/postgresql").ok()?.flatten().map(|entry| entry.path()).collect();
    versions.sort();
    let bin = versions.pop()?.join("bin");
    bin.join("initdb").exists().then(|| bin.to_string_lossy().into_owned())
}

fn toml(postgres: &str, redis: &str, nginx: &str, ports: [u16; 3]) -> String {
    let [db, cache, web] = ports;
    format!(
        r#"
[service.initdb]
kind = "oneshot"
user = "postgres"
command = ["sh", "-c", "test -e pg/PG_VERSION || exec {postgres}/initdb -D pg --auth=trust --no-sync"]

[service.db]
user = "postgres"
command = ["{postgres}/postgres", "-D", "pg", "-p", "{db}", "-k", "", "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off"]
depends_on = {{ initdb = "completed" }}
ready = {{ exec = ["{postgres}/pg_isready", "-q", "-h", "127.0.0.1", "-p", "{db}"], timeout = "60s" }}
stop = {{ signal = "INT", timeout = "20s" }}
restart = {{ policy = "on-failure", delay = "100ms" }}

[service.schema]
kind = "oneshot"
command = ["{postgres}/psql", "-h", "127.0.0.1", "-p", "{db}", "-U", "postgres", "-c", "create table if not exists t (n int)"]
depends_on = {{ db = "ready" }}

[service.cache]
command = ["{redis}", "--port", "{cache}", "--bind", "127.0.0.1", "--save", "", "--daemonize", "no"]
ready = {{ tcp = "127.0.0.1:{cache}" }}
restart = {{ policy = "on-failure", delay = "100ms" }}

[service.web]
command = ["{nginx}", "-p", "web", "-c", "nginx.conf", "-g", "daemon off;"]
depends_on = {{ schema = "completed", cache = "ready" }}
ready = {{ tcp = "127.0.0.1:{web}" }}
stop = {{ signal = "QUIT", timeout = "10s" }}
"#
    )
}

fn nginx_conf(port: u16) -> String {
    format!(
        "worker_processes 2; pid nginx.pid; error_log stderr;\n\
         events {{}}\n\
         http {{ access_log off; client_body_temp_path tmp; proxy_temp_path tmp; fastcgi_temp_path tmp; uwsgi_temp_path tmp; scgi_temp_path tmp;\n\
         server {{ listen 127.0.0.1:{port}; location / {{ return 200 'shop\\n'; }} }} }}\n"
    )
}

#[test]
fn postgres_redis_and_nginx_live_as_one_project() {
    let (Some(postgres), Some(redis), Some(nginx)) =
        (postgres_bin(), program(&["/usr/bin/redis-server"]), program(&["/usr/sbin/nginx"]))
    else {
        return story::skipped("postgresql, redis-server or nginx is missing");
    };
    let ports = [free_port(), free_port(), free_port()];
    let project = Project::new(&toml(&postgres, &redis, &nginx, ports));
    std::fs::create_dir_all(project.dir.join("web/tmp")).unwrap();
    project.write("web/nginx.conf", &nginx_conf(ports[2]));
    // initdb refuses root, so PostgreSQL runs as its own user, who needs a way in and a folder of its own.
    let shell = |text: &str| {
        Said::from(Command::new("sh").args(["-c", text]).current_dir(&project.dir).output().unwrap())
    };
    shell("chmod 755 .. . && mkdir pg && chown postgres pg && chmod 700 pg").expect(0);

    project.up().expect(0);
    for name in ["db", "cache", "web"] {
        assert_eq!(project.service(name)["phase"], "running");
    }
    assert!(http_get(ports[2]).contains("shop"));

    // A crash of the database: its helpers go with it, it comes back ready, and nobody else notices.
    let (db, cache, web) = (project.pid("db"), project.pid("cache"), project.pid("web"));
    story::kill(db, "KILL");
    wait_until("the database is back", || {
        let service = project.service("db");
        service["phase"] == "running" && service["pid"].as_u64() != Some(u64::from(db))
    });
    assert_eq!(project.service("db")["exit"]["signal"], "KILL");
    assert_eq!((project.pid("cache"), project.pid("web")), (cache, web));
    project.run(&["restart", "cache", "web"]).expect(0);
    assert!(http_get(ports[2]).contains("shop"));

    let pids = ["db", "cache", "web"].map(|name| project.pid(name));
    project.run(&["down"]).expect(0);
    for pid in pids {
        assert!(!is_alive(pid));
    }
    assert!(project.log("db").contains("database system is shut down"), "{}", project.log("db"));
    let left = story::processes().into_iter().filter(|(_, line)| {
        ports.iter().any(|port| line.contains(&port.to_string())) && !line.contains("mainstay")
    });
    assert_eq!(left.count(), 0);
}

fn http_get(port: u16) -> String {
    use std::io::{Read, Write};
    let mut stream = std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.write_all(b"GET / HTTP/1.0\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text
}
