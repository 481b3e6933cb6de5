//! Which settings exist: the one place that declares them. The reader, the schema and the reference page follow it.

use std::time::Duration;

use mainstay_model::Bytes;

use crate::setting::{Fields, Keys, Setting, Shape, Word};

/// The most instances of one service.
pub const INSTANCES_LIMIT: u32 = 1_000;
/// The most instances of all services of a project.
pub(crate) const PROJECT_LIMIT: usize = 10_000;
/// The most rotated log files of a service.
const KEEP_LIMIT: i64 = 10_000;
/// The shortest pause between two probes: shorter ones are a busy loop.
const PROBE_PAUSE: Duration = Duration::from_millis(10);
/// The shortest time in which something can be waited for.
const SHORTEST: Duration = Duration::from_millis(1);
/// The highest descriptor that a service can be given.
const FD_LIMIT: i64 = 1_023;
/// The smallest log file: below it, rotation is all that happens.
const SMALLEST_LOG: Bytes = Bytes(1_000);

const ANY_DURATION: Shape = Shape::Duration(Duration::ZERO);
const REAL_DURATION: Shape = Shape::Duration(SHORTEST);

/// The whole file.
pub(crate) const FILE: Fields = Fields::new(&[
    Setting::new("mainstay", Shape::Table(&MAINSTAY), "", "The project itself.")
        .such_as(r#"{ name = "shop" }"#),
    Setting::new("defaults", Shape::Inherited(&SERVICE), "", "Settings that every service inherits."),
    Setting::new("service", SERVICES, "", "The services, one table each: `[service.NAME]`.")
        .such_as(r#"{ hello = { command = "./hello" } }"#)
        .elsewhere(&["services", "program", "programs", "apps", "unit"]),
    Setting::later("notify", "Where alerts go: desktop, mail, webhooks."),
]);

const SERVICES: Shape = Shape::Map(Keys::Services, &Shape::Table(&SERVICE));

/// `[mainstay]`.
pub(crate) const MAINSTAY: Fields = Fields::new(&[
    Setting::new("name", Shape::Text, "the folder's name", "The project's name.").such_as(r#""shop""#),
    Setting::new(
        "log_total",
        Shape::Size(SMALLEST_LOG),
        "no bound",
        "How large the log files of all services may be together. The oldest rotated ones go first; what is written to, and the newest rotated file of each service, always stays.",
    )
    .such_as(r#""1GB""#),
    Setting::later("http", "The HTTP door and its address."),
    Setting::later("nats", "The NATS door and its broker."),
]);

/// `[service.NAME]`, and what of it may stand in `[defaults]`.
pub(crate) const SERVICE: Fields = Fields::new(&[
    Setting::new("kind", Shape::Word(KIND), "\"permanent\"", "What an end of it means.").elsewhere(&["type"]),
    Setting::new(
        "command",
        Shape::Command,
        "",
        "What to run: a list, or one string that is split as a shell splits words. No shell runs; a program without a `/` is looked for in the PATH, a relative path counts from `working_dir`.",
    )
    .required_unless("use")
    .elsewhere(&["cmd", "exec", "run", "script", "program", "ExecStart", "entrypoint", "args"]),
    Setting::new("working_dir", Shape::Text, "the project's directory", "Where to run it; relative to the project's directory.").such_as(r#""data""#)
        .inherited()
        .elsewhere(&["cwd", "dir", "directory", "workdir", "working_directory", "WorkingDirectory"]),
    Setting::new("user", Shape::Text, "the user of Mainstay", "As whom to run it: a name or a number.").such_as(r#""www-data""#).inherited(),
    Setting::new(
        "env",
        Shape::Map(Keys::Variables, &Shape::Scalar),
        "{}",
        "Environment variables. Those of a service come over those of `[defaults]`.",
    ).such_as(r#"{ LEVEL = "debug" }"#)
    .inherited()
    .elsewhere(&["environment", "Environment", "envs", "variables"]),
    Setting::new(
        "env_file",
        Shape::Either(&[Shape::Table(&ENV_FILE), Shape::List(&Shape::Table(&ENV_FILE))]),
        "[]",
        "Files of `NAME=value` lines, relative to the project's directory; one or a list, of which later ones win. `env` wins over them.",
    ).such_as(r#"".env""#)
    .inherited()
    .elsewhere(&["EnvironmentFile", "dotenv"]),
    Setting::new(
        "inherit_env",
        Shape::List(&Shape::Text),
        "[]",
        "Names of variables taken over from the caller, beyond `PATH`, `HOME`, `USER`, `LANG`, `LC_*` and `TZ`.",
    ).such_as(r#"["SSH_AUTH_SOCK"]"#)
    .inherited()
    .elsewhere(&["PassEnvironment", "pass_env"]),
    Setting::new(
        "depends_on",
        Shape::Either(&[Shape::List(&Shape::Text), Shape::Map(Keys::Dependencies, &Shape::Table(&DEPENDENCY))]),
        "[]",
        "What must be so before it starts: a list of services that must be ready, or a table of services and what each must have reached.",
    ).such_as(r#"["db"]"#)
    .elsewhere(&["after", "requires", "needs", "wants", "dependencies", "depends"]),
    Setting::new("restart", Shape::Table(&RESTART), "on-failure for permanent services, never for oneshots", "What happens after it ended without being asked to.").such_as(r#""on-failure""#)
        .inherited()
        .elsewhere(&["autorestart", "restart_policy"]),
    Setting::new("ready", Shape::Table(&READY), "as soon as it runs; with `use` and no `command`: when it says so (`notify`); a oneshot: when it completed", "When it counts as ready.")
        .elsewhere(&["readiness", "readiness_probe", "readinessProbe", "ready_check"]),
    Setting::new("health", Shape::Table(&HEALTH), "", "Asks it, once it is ready, whether it is well; too many failures in a row restart it. Not for oneshots.")
        .elsewhere(&["healthcheck", "liveness", "liveness_probe", "livenessProbe", "health_check"]),
    Setting::new("watchdog", REAL_DURATION, "", "The longest silence, once it is ready, of a service that says `WATCHDOG=1` by itself (`sd_notify(3)`): then it is aborted and restarted. Not for oneshots.").such_as(r#""30s""#)
        .elsewhere(&["WatchdogSec"]),
    Setting::new("stop", Shape::Table(&STOP), "", "How it is asked to end.")
        .inherited()
        .elsewhere(&["stop_signal", "stopsignal", "stop_grace_period", "kill_timeout", "stopwaitsecs", "TimeoutStopSec"]),
    Setting::new("reload", Shape::Table(&RELOAD), "", "How it is asked to read its configuration again: a signal to its main process, or a command.").such_as(r#""HUP""#)
        .elsewhere(&["ExecReload", "reload_signal"]),
    Setting::new("hooks", Shape::Table(&HOOKS), "", "Commands around its starts and stops, run in its directory and environment and as its user. Each finds `MAINSTAY_HOOK` with its own name and, where there is a process, `MAINSTAY_MAIN_PID`; `after_stop` also `MAINSTAY_EXIT_CODE` or `MAINSTAY_EXIT_SIGNAL`. What one writes is in a log of its own: `mainstay logs NAME+before_start`. It should bear being run twice in a row, which a crash of the daemon may lead to.")
        .elsewhere(&["lifecycle", "pre_start", "post_start", "pre_stop", "post_stop", "ExecStartPre", "ExecStartPost", "ExecStop", "ExecStopPost"]),
    Setting::new("watch", Shape::Either(&[Shape::List(&Shape::Text), Shape::Text]), "[]", "For development: it is restarted when a file changes that one of these globs means (`*` within a name, `**` over folders), relative to the project's directory. Ignored are `.git`, `.mainstay`, `node_modules` and `target`, unless a glob names them; what editors and desktops keep beside a file (`f~`, `.f.swp`, `4913`, `#f#`, `.#f`, `.goutputstream-…`, `f___jb_tmp___`, `f___jb_old___`, `.DS_Store`); and changes of nothing but a file's permissions or owner.").such_as(r#"["src/**"]"#)
        .elsewhere(&["watch_files", "watch_paths"]),
    Setting::new("rolling", Shape::Boolean, "false", "Whether its instances are restarted one after the other, each when the one before is ready.")
        .inherited()
        .elsewhere(&["rolling_update", "rolling_restart"]),
    Setting::new("log", Shape::Table(&LOG), "", "How much of its output is kept.")
        .inherited()
        .elsewhere(&["logs", "logging"]),
    Setting::new(
        "instances",
        Shape::Whole(1, INSTANCES_LIMIT as i64),
        "1",
        "How many of it run: `NAME@1` to `NAME@N` when more than one; `{instance}` in its texts is the number.",
    ).such_as("2")
    .elsewhere(&["replicas", "numprocs", "scale", "count"]),
    Setting::new(
        "rerun_unknown",
        Shape::Boolean,
        "false",
        "Whether a oneshot whose exit status nobody saw is run again by itself.",
    )
    .inherited(),
    Setting::new(
        "use",
        Shape::Text,
        "",
        "In place of `command`: the service `TYPE` of a program that is made with the library, as `PROGRAM:TYPE`. PROGRAM is a path relative to the project's directory, or a name that is looked for in the PATH. It is run as `PROGRAM FILE NAME INSTANCE` and reads its `config` from FILE. A `TYPE` alone is one of the program that reads the file (`PROGRAM launch FILE`); `mainstay up` needs the PROGRAM, or a `command`. `builtin:TYPE` is not supported yet.",
    )
    .such_as(r#""./hello:greeter""#),
    Setting::new(
        "config",
        Shape::Map(Keys::Settings, &Shape::Any),
        "{}",
        "Settings that are handed on to a service that is made with the library, which knows them and reads them from this file. Variables that are named in them are handed on to it as well. A change restarts it, or lets it read them again if it has `reload`.",
    )
    .such_as(r#"{ message = "hello" }"#),
    Setting::new(
        "runner",
        Shape::Word(RUNNER),
        "\"process\"",
        "What `PROGRAM launch FILE` makes of it. `mainstay up` runs each service as a process, whatever is said here. A task shares user, directory and environment with the others of its process; its `env` only sets settings of its own.",
    ),
    Setting::later("limits", "Bounds of memory, processor, tasks and files."),
    Setting::later("recovery", "Restarts a service that uses too much for too long."),
    Setting::later("sandbox", "What a service may see and touch."),
    Setting::later("listen", "Sockets that Mainstay holds and passes on."),
    Setting::later("secrets", "Credentials handed to the service."),
    Setting::later("critical", "As pid 1 of a container: when this one ends, everything does."),
    Setting::later("schedule", "When a periodic service runs."),
    Setting::later("condition", "A command that decides whether a periodic run takes place."),
    Setting::later("min_interval", "The shortest pause between two periodic runs."),
    Setting::later("backup_timer", "Whether a timer of the system runs it when the daemon does not."),
    Setting::later("tty", "Whether it gets a terminal."),
]);

const KIND: &[Word] = &[
    Word::new("permanent", "meant to run always").elsewhere(&["simple", "service", "daemon", "longrun"]),
    Word::new("oneshot", "meant to run once and to end").elsewhere(&["task", "job", "once"]),
    Word::later("periodic", "runs on a schedule").elsewhere(&["cron", "timer"]),
];

const RUNNER: &[Word] = &[
    Word::new("task", "a task in its own process, beside the others").elsewhere(&["async", "thread"]),
    Word::new("process", "a process of its own").elsewhere(&["subprocess", "child"]),
];

const ENV_FILE: Fields = Fields::new(&[
    Setting::new("path", Shape::Text, "", "The file, relative to the project's directory.")
        .such_as(r#"".env""#)
        .required(),
    Setting::new("optional", Shape::Boolean, "false", "Whether it may be missing."),
])
.shorthand("path");

const DEPENDENCY: Fields = Fields::new(&[
    Setting::new("until", Shape::Word(CONDITION), "\"ready\"", "What the dependency must have reached.")
        .such_as(r#""ready""#)
        .elsewhere(&["condition"]),
    Setting::new(
        "restart",
        Shape::Boolean,
        "false",
        "Whether this service is restarted when the dependency went away and came back.",
    ),
])
.shorthand("until");

const CONDITION: &[Word] = &[
    Word::new("started", "its process was made").elsewhere(&["service_started", "running"]),
    Word::new("ready", "its check succeeded; a oneshot without one: it completed"),
    Word::new("healthy", "it is ready, and its latest health check succeeded")
        .elsewhere(&["service_healthy"]),
    Word::new("completed", "it ended well (oneshots only)")
        .elsewhere(&["service_completed_successfully", "done"]),
];

/// `restart`.
const RESTART: Fields = Fields::new(&[
    Setting::new(
        "policy",
        Shape::Word(RESTART_WHEN),
        "on-failure for permanent services, never for oneshots",
        "Which ends are followed by a restart.",
    )
    .such_as(r#""on-failure""#)
    .elsewhere(&["when"]),
    Setting::new("delay", ANY_DURATION, "\"1s\"", "The wait before the first restart in a row.")
        .elsewhere(&["RestartSec", "restart_delay"]),
    Setting::new(
        "factor",
        Shape::Factor,
        "2",
        "What the wait is multiplied by for each further restart in a row; 1 to 1000.",
    )
    .elsewhere(&["backoff", "multiplier"]),
    Setting::new("max_delay", ANY_DURATION, "\"1m\"", "The longest wait; not below `delay`."),
    Setting::new(
        "attempts",
        Shape::Either(&[Shape::Whole(0, u32::MAX as i64), Shape::Word(UNLIMITED)]),
        "10",
        "How many restarts in a row until it gives up.",
    )
    .such_as("10")
    .elsewhere(&["max_attempts", "max_retries", "retries", "startretries", "max_restarts"]),
    Setting::new("reset_after", ANY_DURATION, "\"10m\"", "A run of this length ends the row.")
        .elsewhere(&["min_uptime", "window"]),
    Setting::new(
        "success_exit_codes",
        Shape::List(&Shape::Whole(0, 255)),
        "[0]",
        "All exit codes that count as success.",
    )
    .such_as("[0]")
    .elsewhere(&["exitcodes", "exit_codes", "SuccessExitStatus"]),
])
.shorthand("policy");

const RESTART_WHEN: &[Word] = &[
    Word::new("never", "none").elsewhere(&["no", "none", "false", "off"]),
    Word::new("on-failure", "exit codes that are no success, signals, failed starts").elsewhere(&[
        "unexpected",
        "on-abnormal",
        "on-abort",
        "failure",
    ]),
    Word::new("always", "all (not for oneshots)").elsewhere(&["yes", "true", "unless-stopped"]),
];

const UNLIMITED: &[Word] = &[Word::new("unlimited", "it never gives up")
    .elsewhere(&["infinite", "infinity", "forever", "inf", "never"])];

/// `ready`.
const READY: Fields = Fields::new(&[
    Setting::new("tcp", Shape::Address, "", "Ready when a connection to this `host:port` succeeds.")
        .elsewhere(&["port", "address", "tcpSocket"]),
    Setting::new("http", Shape::Text, "", "Ready when a GET of this URL is answered with `status`.")
        .such_as(r#""http://127.0.0.1:8080/healthz""#)
        .elsewhere(&["http_get", "httpGet", "url"]),
    Setting::new("exec", Shape::Command, "", "Ready when this command, run in its directory and environment and as its user, exits with 0.")
        .elsewhere(&["command", "cmd", "script", "test"]),
    Setting::new("log", Shape::Text, "", "Ready when its output has a line that matches this regular expression (Rust's `regex`).")
        .such_as(r#""listening on""#)
        .elsewhere(&["pattern", "log_line", "ready_log_line", "output"]),
    Setting::new("notify", Shape::Boolean, "", "`true`: ready when it says `READY=1` by `sd_notify(3)`; it is given a `NOTIFY_SOCKET`.")
        .such_as("true")
        .elsewhere(&["sd_notify", "Type"]),
    Setting::new("fd", Shape::Whole(3, FD_LIMIT), "", "Ready when it writes a newline to this descriptor, which it is given (s6's `notification-fd`).")
        .such_as("3")
        .elsewhere(&["notification-fd", "notification_fd", "ready-notification"]),
    Setting::new("after", ANY_DURATION, "", "Ready when this time has passed since its start.")
        .elsewhere(&["delay", "wait"]),
    Setting::new("status", Shape::Whole(100, 599), "200 to 399", "The one answer to `http` that is good.")
        .such_as("200")
        .elsewhere(&["status_code", "expect"]),
    Setting::new("timeout", REAL_DURATION, "\"90s\"", "Not ready within this time from its start is a failure of that start. With `after`, that much later."),
    Setting::new("interval", Shape::Duration(PROBE_PAUSE), "\"500ms\"", "The longest pause between two probes.")
        .elsewhere(&["period", "period_seconds", "periodSeconds"]),
    Setting::new("probe_timeout", REAL_DURATION, "\"2s\"", "How long one probe may take.")
        .elsewhere(&["timeout_seconds", "timeoutSeconds"]),
])
.one_of(&["tcp", "http", "exec", "log", "notify", "fd", "after"]);

/// `health`.
const HEALTH: Fields = Fields::new(&[
    Setting::new("tcp", Shape::Address, "", "Well when a connection to this `host:port` succeeds.")
        .elsewhere(&["port", "address", "tcpSocket"]),
    Setting::new("http", Shape::Text, "", "Well when a GET of this URL is answered with `status`.")
        .such_as(r#""http://127.0.0.1:8080/healthz""#)
        .elsewhere(&["http_get", "httpGet", "url"]),
    Setting::new(
        "exec",
        Shape::Command,
        "",
        "Well when this command, run in its directory and environment and as its user, exits with 0.",
    )
    .elsewhere(&["command", "cmd", "script", "test"]),
    Setting::new("status", Shape::Whole(100, 599), "200 to 399", "The one answer to `http` that is good.")
        .such_as("200")
        .elsewhere(&["status_code", "expect"]),
    Setting::new("interval", Shape::Duration(PROBE_PAUSE), "\"10s\"", "The pause between two probes.")
        .elsewhere(&["period", "period_seconds", "periodSeconds"]),
    Setting::new("timeout", REAL_DURATION, "\"2s\"", "How long one probe may take.").elsewhere(&[
        "timeout_seconds",
        "timeoutSeconds",
        "probe_timeout",
    ]),
    Setting::new("failures", Shape::Whole(1, 1_000), "3", "After so many failures in a row it is restarted.")
        .elsewhere(&["retries", "failure_threshold", "failureThreshold"]),
    Setting::new(
        "start_period",
        ANY_DURATION,
        "the interval",
        "Failures before the first success count only after this time; until then it is asked more often.",
    )
    .such_as(r#""30s""#)
    .elsewhere(&["initial_delay", "initial_delay_seconds", "initialDelaySeconds", "grace"]),
])
.one_of(&["tcp", "http", "exec"]);

/// `reload`.
const RELOAD: Fields = Fields::new(&[
    Setting::new("signal", Shape::Signal, "", "Sent to its main process.").such_as(r#""HUP""#),
    Setting::new("exec", Shape::Command, "", "Run instead, in its directory and environment and as its user; `MAINSTAY_MAIN_PID` is its main process.")
        .elsewhere(&["command", "cmd"]),
    Setting::new("timeout", REAL_DURATION, "\"1m\"", "After this time the command is killed, and has failed."),
])
.shorthand("signal")
.one_of(&["signal", "exec"]);

/// `hooks`.
const HOOKS: Fields = Fields::new(&[
    Setting::new(
        "before_start",
        Shape::Table(&HOOK),
        "",
        "Before its process is made; a failure is a failed start.",
    )
    .such_as(r#""./prepare""#)
    .elsewhere(&["pre_start", "ExecStartPre", "before"]),
    Setting::new(
        "after_start",
        Shape::Table(&HOOK),
        "",
        "When it is ready, before it counts so; a failure is a failed start.",
    )
    .such_as(r#""./announce""#)
    .elsewhere(&["post_start", "ExecStartPost", "on_ready", "after"]),
    Setting::new(
        "before_stop",
        Shape::Table(&HOOK),
        "",
        "Before it is asked to end, when it was up; a failure is only told.",
    )
    .such_as(r#""./drain""#)
    .elsewhere(&["pre_stop", "ExecStop"]),
    Setting::new(
        "after_stop",
        Shape::Table(&HOOK),
        "",
        "When its process has ended, however; a failure is only told.",
    )
    .such_as(r#""./clean-up""#)
    .elsewhere(&["post_stop", "ExecStopPost", "on_exit"]),
]);

const HOOK: Fields = Fields::new(&[
    Setting::new(
        "command",
        Shape::Command,
        "",
        "What to run: a list, or one string that is split as a shell splits words.",
    )
    .such_as(r#""./hook""#)
    .required()
    .elsewhere(&["cmd", "exec", "run"]),
    Setting::new("timeout", REAL_DURATION, "\"1m\"", "After this time it is killed, and has failed."),
])
.shorthand("command");

/// `stop`.
const STOP: Fields = Fields::new(&[
    Setting::new("signal", Shape::Signal, "\"TERM\"", "Sent to its process group."),
    Setting::new("timeout", ANY_DURATION, "\"10s\"", "What is left of it after this time is killed.")
        .elsewhere(&["grace", "grace_period", "kill_after"]),
]);

/// `log`.
const LOG: Fields = Fields::new(&[
    Setting::new(
        "max_size",
        Shape::Size(SMALLEST_LOG),
        "\"10MB\"",
        "`current` is rotated before it exceeds this.",
    )
    .elsewhere(&["size", "maxbytes", "max-size"]),
    Setting::new("keep", Shape::Whole(1, KEEP_LIMIT), "10", "How many rotated files are kept.")
        .elsewhere(&["backups", "max-file", "count", "files"]),
    Setting::new(
        "total",
        Shape::Size(SMALLEST_LOG),
        "\"100MB\"",
        "How large all files of the service may be together; not below `max_size`. Without it, at least twice `max_size`. A full `current` and the newest rotated file, which stays as it is, take twice `max_size` of it; what is compressed takes as much as it then has. While files come faster than they are compressed, all together may be one `max_size` larger.",
    ),
    Setting::new(
        "compress",
        Shape::Boolean,
        "true",
        "Whether rotated files are compressed (zstd), all but the newest.",
    ),
    Setting::new(
        "when_full",
        Shape::Word(WHEN_FULL),
        "\"wait\"",
        "What becomes of output that the log file does not take, because the disk is full or broken.",
    ),
    Setting::new(
        "split",
        Shape::Boolean,
        "false",
        "Whether standard error is kept apart, in `logs/NAME+stderr`, with the same bounds once more. What a hook writes is not kept apart.",
    )
    .elsewhere(&["separate", "split_streams"]),
]);

const WHEN_FULL: &[Word] = &[
    Word::new("wait", "it waits, and so does the service once its pipe is full")
        .elsewhere(&["block", "blocking"]),
    Word::new("drop", "it is dropped and counted").elsewhere(&["discard", "lose", "non-blocking"]),
];
