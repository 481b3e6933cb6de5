//! A program with a command line of its own that is a service as well: it keeps a list of servers up to date, as the updater of
//! a VPN's configuration would.
//!
//! ```console
//! $ updater update                          # now, in this process
//! $ updater run &                           # as a service, each hour
//! $ updater service update-now              # the service's next update now
//! $ updater service config --interval 10m   # other times, until it ends
//! ```

mod fetch;
mod updater;

use std::{ffi::OsString, fs, path::PathBuf, process::ExitCode};

use mainstay::{
    Program, Registry, Result,
    clap::{Arg, ArgMatches, Command, value_parser},
};

use crate::updater::Place;

fn main() -> ExitCode {
    let matches = command().subcommand(mainstay::service_command()).get_matches();
    match matches.subcommand() {
        Some(("service", matches)) => mainstay::run_service_command(matches),
        Some(("run", matches)) => run(matches),
        Some(("update", matches)) => told(update(matches)),
        Some((_, matches)) => told(show(matches)),
        None => ExitCode::FAILURE,
    }
}

/// The application's own.
fn command() -> Command {
    let path = |name: &'static str, default: &'static str, help: &'static str| {
        Arg::new(name).long(name).default_value(default).value_parser(value_parser!(PathBuf)).help(help)
    };
    let text = |name: &'static str, default: &'static str, help: &'static str| {
        Arg::new(name).long(name).default_value(default).help(help)
    };
    let file = path("file", "servers.txt", "Where the list is kept");
    let words = Arg::new("words").num_args(0..).trailing_var_arg(true).allow_hyphen_values(true);
    let run =
        Command::new("run").about("Runs the service; `run --help` tells with what").disable_help_flag(true);
    let update = Command::new("update")
        .about("Fetches the list once")
        .arg(text("server", "127.0.0.1:8080", "The server that has it"))
        .arg(text("path", "/servers.txt", "Its path there"))
        .arg(path("session", "session", "The file with the session"))
        .arg(file.clone());
    Command::new("updater")
        .version(env!("CARGO_PKG_VERSION"))
        .about("Keeps a list of servers up to date")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(update)
        .subcommand(Command::new("show").about("Shows the list").arg(file))
        .subcommand(run.arg(words.value_parser(value_parser!(OsString)).help("What is said to the service")))
}

/// What is said after `run` is the library's.
fn run(matches: &ArgMatches) -> ExitCode {
    let words = matches.get_many::<OsString>("words").into_iter().flatten().cloned();
    let program = Program { name: "updater", version: env!("CARGO_PKG_VERSION") };
    mainstay::run_program(program, Registry::discover(), std::iter::once("updater run".into()).chain(words))
}

fn update(matches: &ArgMatches) -> Result<String> {
    let text = |name: &str| matches.get_one::<String>(name).cloned().unwrap_or_default();
    let path = |name: &str| matches.get_one::<PathBuf>(name).cloned().unwrap_or_default();
    let place = Place {
        server: text("server").parse()?,
        path: text("path"),
        session: path("session"),
        file: path("file"),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    Ok(match runtime.block_on(updater::update(&place))? {
        Some(bytes) => format!("{} has {bytes} bytes\n", place.file.display()),
        None => mainstay::fail!("no session: `{}` is not there", place.session.display()),
    })
}

fn show(matches: &ArgMatches) -> Result<String> {
    let file = matches.get_one::<PathBuf>("file").cloned().unwrap_or_default();
    fs::read_to_string(&file).map_err(|error| {
        mainstay::Error::from(error).while_doing(format!("cannot read `{}`", file.display()))
    })
}

fn told(done: Result<String>) -> ExitCode {
    match done {
        Ok(text) => {
            print!("{text}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
