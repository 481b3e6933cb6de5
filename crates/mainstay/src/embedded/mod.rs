//! The subcommand `service`, for programs with a command line of their own: what is said to a service that runs, under a
//! Mainstay project or by hand. It starts no process itself, and knows no init system.

mod target;

use std::{
    collections::BTreeMap,
    fs::File,
    io::{Read as _, Seek as _, SeekFrom, Write as _},
    path::Path,
    process::ExitCode,
};

use clap::{Arg, ArgAction, ArgMatches, Command};
use mainstay_wire::{Act, ServiceView, SettingView};
use serde_json::Value;

use self::target::{Refused, Target};
use crate::{Registration, Registry, command::flag_of};

/// The most of a log that is looked at for its last lines, in bytes.
const LOG_LIMIT: u64 = 1024 * 1024;

/// The verbs that a project does.
const ACTS: [(&str, &str); 3] = [
    ("start", "Starts it, in the project that has it"),
    ("stop", "Stops it"),
    ("restart", "Stops it and starts it again"),
];

/// The subcommand `service` of this program's services, for an application with a clap command line of its own. What it said
/// is carried out by [`run_service_command`].
///
/// ```
/// use mainstay::clap::Command;
///
/// let application = Command::new("vpn").subcommand(mainstay::service_command());
/// let matches = application.try_get_matches_from(["vpn", "service", "status"]).unwrap();
/// assert!(matches.subcommand_matches("service").is_some());
/// ```
pub fn service_command() -> Command {
    command(&Registry::discover())
}

/// Does what the subcommand `service` said, and gives the exit code of the program.
///
/// ```no_run
/// # use mainstay::clap::Command;
/// # use std::process::ExitCode;
/// fn main() -> ExitCode {
///     let matches = Command::new("vpn").subcommand(mainstay::service_command()).get_matches();
///     match matches.subcommand() {
///         Some(("service", matches)) => mainstay::run_service_command(matches),
///         _ => ExitCode::SUCCESS, // the application's own
///     }
/// }
/// ```
pub fn run_service_command(matches: &ArgMatches) -> ExitCode {
    run(&Registry::discover(), matches)
}

/// That of these services.
pub(crate) fn command(registry: &Registry) -> Command {
    let verb = |name: &'static str, about: &'static str| Command::new(name).about(about).arg(of_service());
    let lines = Arg::new("lines").short('n').long("lines").value_name("N").help("So many of the last lines");
    let lines = lines.value_parser(clap::value_parser!(usize)).default_value("20");
    let mut config = verb("config", "Shows its settings, or changes them until it ends");
    for shape in registry.all().iter().flat_map(Registration::settings) {
        let flag = flag_of(&shape);
        if config.get_arguments().any(|known| known.get_id().as_str() == flag) {
            continue;
        }
        let help = shape.help.lines().next().unwrap_or_default().to_owned();
        let arg = Arg::new(flag.clone()).long(flag).value_name("VALUE").help(help).hide(shape.kind.is_secret);
        config = config.arg(arg.allow_hyphen_values(true).action(ArgAction::Set));
    }
    Command::new("service")
        .about("Starts, stops and asks the service of this program")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(verb("install", "Has the system start it at boot (not implemented yet)"))
        .subcommand(verb("uninstall", "Takes that back (not implemented yet)"))
        .subcommands(ACTS.map(|(name, about)| verb(name, about)))
        .subcommand(verb("status", "How it is: 0 when it runs, 3 when it does not"))
        .subcommand(verb("logs", "The last lines of its output").arg(lines))
        .subcommand(verb("update-now", "Asks for the next tick of a periodic service now"))
        .subcommand(config)
}

fn of_service() -> Arg {
    Arg::new("service").value_name("SERVICE").help("Which service, as the project calls it")
}

/// Does what was said of these services.
pub(crate) fn run(registry: &Registry, matches: &ArgMatches) -> ExitCode {
    match done(registry, matches) {
        Ok(code) => code.into(),
        Err(refused) => {
            // Nobody is left to be told when standard error is closed.
            let _ = writeln!(std::io::stderr(), "error: {refused}");
            refused.code.into()
        }
    }
}

fn done(registry: &Registry, matches: &ArgMatches) -> Result<u8, Refused> {
    let Some((verb, matches)) = matches.subcommand() else { return Ok(2) };
    let name = named(registry, matches)?;
    match verb {
        "install" | "uninstall" => Err(not_implemented(verb, &name)),
        "start" => act(Act::Start, &name),
        "stop" => act(Act::Stop, &name),
        "restart" => act(Act::Restart, &name),
        "status" => status(&name),
        "logs" => logs(&name, matches.get_one::<usize>("lines").copied().unwrap_or_default()),
        "update-now" => {
            Target::find(&name)?.call(&name, "trigger", BTreeMap::new())?;
            say(&format!("{name} is asked for its next tick\n"))
        }
        _ => config(registry, &name, matches),
    }
}

/// Which service is meant: the only one, when none is said.
fn named(registry: &Registry, matches: &ArgMatches) -> Result<String, Refused> {
    if let Some(name) = matches.get_one::<String>("service") {
        return Ok(name.clone());
    }
    match registry.all() {
        [only] => Ok(only.name().to_owned()),
        _ => {
            let names = registry.names().collect::<Vec<_>>().join(", ");
            Err(Refused::new(2, format!("which service? there are: {names}")))
        }
    }
}

fn not_implemented(verb: &str, name: &str) -> Refused {
    let text = format!("`{verb}` is not implemented yet: no init system is spoken to");
    Refused::new(3, text).with_help(format!(
        "describe it in a mainstay.toml, [service.{name}], and run `mainstay up -d`; or have a unit of your init system run the program"
    ))
}

fn act(act: Act, name: &str) -> Result<u8, Refused> {
    match (Target::find(name), act) {
        (Ok(Target::Project(mut project)), act) => {
            let told = project.act(act, name)?;
            say(&told)
        }
        (Ok(target @ Target::ByHand(_)), Act::Stop | Act::Restart) => {
            let method = if matches!(act, Act::Stop) { "stop" } else { "restart" };
            target.call(name, method, BTreeMap::new())?;
            say(&format!("{name} is asked to {method}\n"))
        }
        (Ok(Target::ByHand(_)), _) => say(&format!("{name} runs already, by hand\n")),
        (Err(refused), _) => Err(refused),
    }
}

fn status(name: &str) -> Result<u8, Refused> {
    match Target::find(name) {
        Ok(Target::Project(project)) => {
            let view = &project.view;
            let pid = view.pid.map_or_else(String::new, |pid| format!(" (pid {pid})"));
            say(&format!("{name} is {}{pid}: {}\n", view.phase, view.reason.text))?;
            Ok(code_of(view))
        }
        Ok(target @ Target::ByHand(_)) => {
            let told = target.call(name, "status", BTreeMap::new())?;
            let text = |field: &str| told[field].as_str().unwrap_or_default().to_owned();
            say(&format!("{name} runs by hand (pid {}): {}, {}\n", told["pid"], text("status"), text("text")))
        }
        Err(refused) if refused.code == target::NO_DAEMON => {
            say(&format!("{name} does not run: {}\n", refused.text))?;
            Ok(3)
        }
        Err(refused) => Err(refused),
    }
}

/// As the Linux Standard Base has it, and as `mainstay status` does.
fn code_of(view: &ServiceView) -> u8 {
    match view.phase.as_str() {
        "running" if matches!(&*view.status, "warning" | "error" | "degraded") => 151,
        "running" => 0,
        "stopped" | "completed" => 3,
        "paused" => 153,
        "failed" | "isolated" => 152,
        _ => 150,
    }
}

fn logs(name: &str, lines: usize) -> Result<u8, Refused> {
    let Target::Project(project) = Target::find(name)? else {
        let text = format!("`{name}` runs by hand: its output is where it was started");
        return Err(Refused::new(1, text));
    };
    let path = Path::new(&project.view.log_dir).join("current");
    let text = last_lines(&path, lines)
        .map_err(|error| Refused::new(1, format!("cannot read `{}`: {error}", path.display())))?;
    // Who closed our output has seen enough.
    let _ = std::io::stdout().write_all(&text);
    Ok(0)
}

fn last_lines(path: &Path, lines: usize) -> std::io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(LOG_LIMIT)))?;
    let mut text = Vec::new();
    file.take(LOG_LIMIT).read_to_end(&mut text)?;
    let body = text.strip_suffix(b"\n").unwrap_or(&text);
    let ends = body.iter().enumerate().rev().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1);
    let from = if lines == 0 { text.len() } else { ends.into_iter().nth(lines - 1).unwrap_or_default() };
    Ok(text.split_off(from))
}

fn config(registry: &Registry, name: &str, matches: &ArgMatches) -> Result<u8, Refused> {
    let mut changes = BTreeMap::new();
    for shape in registry.all().iter().flat_map(Registration::settings) {
        let said = matches.try_get_one::<String>(&flag_of(&shape)).ok().flatten();
        let Some(text) = said else { continue };
        let value = serde_json::to_value(shape.value_of(text));
        changes.insert(shape.name.to_owned(), value.unwrap_or_else(|_| Value::String(text.clone())));
    }
    let method = if changes.is_empty() { "config.get" } else { "config.set" };
    let told = Target::find(name)?.call(name, method, changes)?;
    let settings: Vec<SettingView> = serde_json::from_value(told)
        .map_err(|error| Refused::new(1, format!("the answer makes no sense: {error}")))?;
    let line = |one: &SettingView| {
        let value = one.value.as_deref().unwrap_or("(not set)");
        format!("{} = {value}  # {}\n", one.name, one.origin)
    };
    say(&settings.iter().map(line).collect::<String>())
}

fn say(words: &str) -> Result<u8, Refused> {
    // Who closed our output has seen enough.
    let _ = std::io::stdout().write_all(words.as_bytes());
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_are_found() {
        let file = tempfile::NamedTempFile::new().unwrap();
        for (text, lines, expected) in [
            ("a\nb\nc\n", 2, "b\nc\n"),
            ("a\nb\nc", 2, "b\nc"),
            ("a\n", 5, "a\n"),
            ("", 5, ""),
            ("a\nb\n", 0, ""),
        ] {
            std::fs::write(file.path(), text).unwrap();
            assert_eq!(last_lines(file.path(), lines).unwrap(), expected.as_bytes(), "{text:?}");
        }
    }

    #[test]
    fn the_command_line_is_consistent() {
        service_command().debug_assert();
    }
}
