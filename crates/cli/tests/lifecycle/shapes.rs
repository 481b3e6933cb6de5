//! Whether the definitions of a story say the same in each of the three shapes: which services there are, what each runs,
//! what it needs until when, when it is restarted, and how it is asked.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use mainstay_config::{Inputs, Source};
use mainstay_model::{Attempts, Condition, Kind, Probe, ReadyCheck, RestartWhen, Spec};

use super::{folder, yaml::Yaml};

/// What all three can say of a service.
#[derive(Debug, Default, PartialEq, Eq)]
struct Shape {
    command: String,
    instances: u32,
    /// Whom, until when, and whether it is restarted with it.
    needs: BTreeSet<(String, &'static str, bool)>,
    restart: &'static str,
    attempts: Option<u32>,
    check: Option<String>,
    /// How often the check may fail.
    failures: Option<u32>,
    stop_seconds: Option<u32>,
    success_exit_codes: Vec<String>,
}

type Shapes = BTreeMap<String, Shape>;
type Read = fn(&Yaml) -> Shapes;

#[test]
fn the_definitions_say_the_same_in_each_shape() {
    let mut compared = 0;
    for story in fs::read_dir(folder()).unwrap().flatten() {
        for later in ["", ".after"] {
            let file = |name: &str| story.path().join(name.replace('*', later));
            let others: [(&str, Read); 2] =
                [("compose*.yaml", of_compose), ("process-compose*.yaml", of_process_compose)];
            for (name, read) in others {
                if let Ok(text) = fs::read_to_string(file(name)) {
                    let ours = of_mainstay(&file("mainstay*.toml"));
                    assert_eq!(read(&Yaml::parse(&text)), ours, "{}", file(name).display());
                    compared += 1;
                }
            }
        }
    }
    assert!(compared > 50, "{compared}");
}

fn of_mainstay(path: &Path) -> Shapes {
    let source = Source::from_bytes(path, fs::read(path).unwrap()).unwrap();
    let none = BTreeMap::new();
    let project = mainstay_config::load(&Inputs {
        base: vec![source],
        local: None,
        directory: path.parent().unwrap().to_owned(),
        variables: &none,
        read: &|path| fs::read_to_string(path),
    });
    let project = project.unwrap_or_else(|problems| panic!("{}: {problems:?}", path.display()));
    let mut shapes = Shapes::new();
    for spec in &project.specs {
        let shape = shapes.entry(spec.id.name.to_string()).or_insert_with(|| of_spec(spec, &project.specs));
        shape.instances += 1;
    }
    shapes
}

fn words(command: &mainstay_model::Command) -> String {
    let words: Vec<&str> = command.words().collect();
    match words[..] {
        ["sh", "-c", script] => script.to_owned(),
        _ => words.join(" "),
    }
}

fn probe(probe: &Probe) -> String {
    match probe {
        Probe::Tcp(address) => address.clone(),
        Probe::Http(http) => http.url.clone(),
        Probe::Exec(command) => words(command),
    }
}

fn of_spec(spec: &Spec, all: &[Spec]) -> Shape {
    let is_checked = |spec: &Spec| spec.ready.is_some() || spec.health.is_some();
    let needs = spec.depends_on.iter().map(|need| {
        let on = all.iter().find(|other| other.id.name == need.on).unwrap();
        let until = match need.until {
            Condition::Completed => "completed",
            Condition::Ready | Condition::Healthy if is_checked(on) => "ready",
            Condition::Ready | Condition::Healthy | Condition::Started => "started",
        };
        (need.on.to_string(), until, need.restart)
    });
    let when = spec.restart.when;
    let attempts = match spec.restart.attempts {
        Attempts::UpTo(most) if when != RestartWhen::Never => Some(most),
        Attempts::UpTo(_) | Attempts::Unlimited => None,
    };
    let ready = spec.ready.as_ref().map(|policy| {
        let check = match &policy.check {
            ReadyCheck::Probe(known) => probe(known),
            ReadyCheck::Log(pattern) => pattern.clone(),
            other => panic!("{other} has no counterpart"),
        };
        let times = policy.timeout.as_millis() / policy.interval.as_millis();
        let failures = matches!(policy.check, ReadyCheck::Probe(_)).then(|| u32::try_from(times).unwrap());
        (check, failures)
    });
    let health = spec.health.as_ref().map(|policy| (probe(&policy.probe), Some(policy.failures)));
    let (check, failures) = ready.or(health).unzip();
    let codes = spec.restart.success_exit_codes.iter().filter(|code| **code != 0);
    let stop = u32::try_from(spec.stop.timeout.as_secs()).unwrap();
    Shape {
        command: words(&spec.command),
        instances: 0,
        needs: needs.collect(),
        restart: if spec.kind == Kind::Oneshot && when == RestartWhen::Never {
            "never"
        } else {
            when.as_str()
        },
        attempts,
        check,
        failures: failures.flatten(),
        stop_seconds: (stop != 10).then_some(stop),
        success_exit_codes: codes.map(ToString::to_string).collect(),
    }
}

fn of_compose(file: &Yaml) -> Shapes {
    let services = file.get("services").unwrap().entries();
    services.iter().map(|(name, service)| (name.clone(), of_service(service))).collect()
}

fn of_service(service: &Yaml) -> Shape {
    let plain = |text: &str| text.replace("$$", "$");
    let command = match service.get("command").unwrap() {
        Yaml::List(words) if words[..2] == ["sh", "-c"] => plain(&words[2]),
        Yaml::List(words) => words.join(" "),
        _ => service.text("command").unwrap().to_owned(),
    };
    let on = service.get("depends_on");
    let short = on.into_iter().flat_map(Yaml::items).map(|name| (name.clone(), "started", false));
    let long = on.into_iter().flat_map(Yaml::entries).map(|(name, need)| {
        let until = match need.text("condition").unwrap() {
            "service_started" => "started",
            "service_healthy" => "ready",
            "service_completed_successfully" => "completed",
            other => panic!("{other}"),
        };
        (name.clone(), until, need.text("restart") == Some("true"))
    });
    let (restart, attempts) = match service.text("restart").unwrap_or("no").split_once(':') {
        Some((word, most)) => (word, Some(most.parse().unwrap())),
        None => (service.text("restart").unwrap_or("no"), None),
    };
    let restart = match restart {
        "no" => "never",
        "on-failure" => "on-failure",
        "always" | "unless-stopped" => "always",
        other => panic!("{other}"),
    };
    // Images bring a client; we ask ourselves.
    let check =
        service.text("healthcheck.test").map(|test| plain(test.trim_start_matches("wget -q -O /dev/null ")));
    Shape {
        command,
        instances: service.number("deploy.replicas").unwrap_or(1),
        needs: short.chain(long).collect(),
        restart,
        attempts,
        check,
        failures: service.number("healthcheck.retries"),
        stop_seconds: service.number("stop_grace_period"),
        success_exit_codes: Vec::new(),
    }
}

fn of_process_compose(file: &Yaml) -> Shapes {
    let processes = file.get("processes").unwrap().entries();
    processes.iter().map(|(name, process)| (name.clone(), of_process(process))).collect()
}

fn of_process(process: &Yaml) -> Shape {
    let needs = process.get("depends_on").into_iter().flat_map(Yaml::entries).map(|(name, need)| {
        let until = match need.text("condition").unwrap() {
            "process_started" => "started",
            "process_healthy" | "process_log_ready" => "ready",
            "process_completed_successfully" => "completed",
            other => panic!("{other}"),
        };
        (name.clone(), until, false)
    });
    let restart = match process.text("availability.restart").unwrap_or("no") {
        "no" => "never",
        "on_failure" => "on-failure",
        "always" => "always",
        other => panic!("{other}"),
    };
    let http = process.get("readiness_probe.http_get").map(|get| {
        let word = |key: &str| get.text(key).unwrap();
        format!("http://{}:{}{}", word("host"), word("port"), word("path"))
    });
    let word = |path: &str| process.text(path).map(|text| text.replace("$$", "$"));
    // Its instances are numbered from 0.
    let exec = word("readiness_probe.exec.command").map(|text| text.replace("{{.PC_REPLICA_NUM}}", "1"));
    Shape {
        command: word("command").unwrap(),
        instances: process.number("replicas").unwrap_or(1),
        needs: needs.collect(),
        restart,
        attempts: process.number("availability.max_restarts"),
        check: http.or(exec).or_else(|| word("ready_log_line")),
        failures: process.number("readiness_probe.failure_threshold"),
        stop_seconds: process.number("shutdown.timeout_seconds"),
        success_exit_codes: process
            .get("success_exit_codes")
            .map(|codes| codes.items().to_vec())
            .unwrap_or_default(),
    }
}
