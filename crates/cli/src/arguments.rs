//! The command line: global options and verbs. Each verb's own arguments are in its file.

use std::{path::PathBuf, time::Duration};

use clap::{ArgAction, Args, CommandFactory, FromArgMatches, Parser, Subcommand, builder::FalseyValueParser};
use jiff::SignedDuration;

use crate::{output::Loudness, verbs};

/// Runs the services of a project, keeps them running, and says why each is as it is.
#[derive(Debug, Parser)]
#[command(name = "mainstay", version, about, after_help = AFTER_HELP, max_term_width = 100)]
#[command(propagate_version = false, subcommand_required = true, arg_required_else_help = true)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

const AFTER_HELP: &str = "\
Exit codes:
  0 done, 1 failed or the answer is no, 2 usage, 4 not permitted, 5 no such service,
  6 invalid configuration, 7 not running, 69 no daemon, 70 a defect of ours,
  124 timed out, 130 interrupted
  `status NAME`: 0 running, 3 stopped or completed, 5 no such service, 150 starting or waiting,
  151 running but not healthy, 152 failed, 153 paused
  `run`: as its program, 128+n for signal n; 126 and 127 when it cannot be started";

/// Options of every verb.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Global {
    /// The project's file; without it, the nearest `mainstay.toml` of this directory and those above, else the machine's
    #[arg(short, long, global = true, env = "MAINSTAY_FILE", hide_env_values = true, value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,

    /// Where state and logs are kept, instead of `.mainstay` beside the file
    #[arg(long, global = true, env = "MAINSTAY_STATE_DIR", hide_env_values = true, value_name = "DIR")]
    pub(crate) state_dir: Option<PathBuf>,

    /// Answer in JSON
    #[arg(long, global = true, env = "MAINSTAY_JSON", hide_env_values = true)]
    #[arg(action = ArgAction::SetTrue, value_parser = FalseyValueParser::new())]
    pub(crate) json: bool,

    /// Say nothing but answers and errors
    #[arg(short, long, global = true, env = "MAINSTAY_QUIET", hide_env_values = true)]
    #[arg(action = ArgAction::SetTrue, value_parser = FalseyValueParser::new())]
    pub(crate) quiet: bool,

    /// Say more
    #[arg(short, long, global = true, env = "MAINSTAY_VERBOSE", hide_env_values = true)]
    #[arg(action = ArgAction::SetTrue, value_parser = FalseyValueParser::new())]
    pub(crate) verbose: bool,

    /// No colours; there are none either where `NO_COLOR` is set or the output is no terminal
    #[arg(long, global = true, env = "MAINSTAY_NO_COLOR", hide_env_values = true)]
    #[arg(action = ArgAction::SetTrue, value_parser = FalseyValueParser::new())]
    pub(crate) no_color: bool,

    /// Wait at most this long for the daemon's answer: `500ms`, `30s`, `1m 30s`
    #[arg(long, global = true, env = "MAINSTAY_TIMEOUT", hide_env_values = true, value_name = "TIME")]
    #[arg(value_parser = duration)]
    pub(crate) timeout: Option<Duration>,
}

/// What to do.
#[derive(Debug, Subcommand)]
#[command(subcommand_help_heading = "Commands", disable_help_subcommand = true)]
pub(crate) enum Verb {
    Up(verbs::up::Up),
    Down(verbs::down::Down),
    Start(verbs::start::Start),
    Stop(verbs::stop::Stop),
    Restart(verbs::restart::Restart),
    Kill(verbs::kill::Kill),
    Reload(verbs::reload::Reload),
    Pause(verbs::pause::Pause),
    Resume(verbs::resume::Resume),
    Signal(verbs::signal::Signal),
    Scale(verbs::scale::Scale),
    ResetFailed(verbs::reset_failed::ResetFailed),
    Run(verbs::run::Run),
    List(verbs::list::List),
    Status(verbs::status::Status),
    Explain(verbs::explain::Explain),
    Wait(verbs::wait::Wait),
    IsActive(verbs::is::IsActive),
    IsReady(verbs::is::IsReady),
    IsFailed(verbs::is::IsFailed),
    Logs(verbs::logs::Logs),
    History(verbs::history::History),
    Report(verbs::report::Report),
    Top(verbs::top::Top),
    Call(verbs::call::Call),
    Check(verbs::check::Check),
    Plan(verbs::plan::Plan),
    Apply(verbs::apply::Apply),
    Rollback(verbs::rollback::Rollback),
    #[command(subcommand)]
    Config(verbs::config::Config),
    Schema(verbs::schema::Schema),
    Completions(verbs::completions::Completions),
    Man(verbs::man::Man),
    #[command(subcommand)]
    Daemon(verbs::daemon::Daemon),
}

impl Arguments {
    /// Reads the command line of this process.
    pub(crate) fn read() -> Result<Self, clap::Error> {
        let words: Vec<_> = std::env::args_os().collect();
        let colour = if words.iter().any(|word| word == "--no-color") {
            clap::ColorChoice::Never
        } else {
            clap::ColorChoice::Auto
        };
        let matches = Self::command().color(colour).try_get_matches_from(words)?;
        Self::from_arg_matches(&matches)
    }

    /// The command line as it is described to people: without what Mainstay only says to itself.
    pub(crate) fn described() -> clap::Command {
        shown("mainstay", &Self::command()).version(env!("CARGO_PKG_VERSION")).disable_help_subcommand(true)
    }
}

/// A command without what is hidden below it.
fn shown(name: &'static str, command: &clap::Command) -> clap::Command {
    let bare = clap::Command::new(name).args(command.get_arguments());
    let mut shown = bare.about(command.get_about().cloned().unwrap_or_default());
    for word in command.get_subcommands().filter(|word| !word.is_hide_set()) {
        shown = shown.subcommand(match word.get_name() {
            "daemon" => self::shown("daemon", word),
            _ => word.clone(),
        });
    }
    shown
}

impl Global {
    pub(crate) fn loudness(&self) -> Loudness {
        match (self.quiet, self.verbose) {
            (true, _) => Loudness::Quiet,
            (false, false) => Loudness::Normal,
            (false, true) => Loudness::Verbose,
        }
    }

    /// Whether colours are wanted where they are possible (<https://no-color.org>).
    pub(crate) fn may_colour(&self) -> bool {
        let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        !self.no_color && !set("NO_COLOR") && !dumb
    }
}

/// A time as in the file.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || "expected a time such as `500ms`, `30s` or `1m 30s`".to_owned();
    let duration: SignedDuration = text.parse().map_err(|_| wrong())?;
    Duration::try_from(duration).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
        Arguments::described().debug_assert();
    }

    #[test]
    fn the_help_of_every_verb() {
        let mut command = Arguments::command().term_width(100);
        command.build();
        let mut page = command.render_help().to_string();
        for verb in command.get_subcommands_mut().filter(|verb| !verb.is_hide_set()) {
            page.push_str(&format!("\n\n=== {}\n\n", verb.get_name()));
            page.push_str(&verb.render_help().to_string());
            let name = verb.get_name().to_owned();
            for word in verb.get_subcommands_mut() {
                page.push_str(&format!("\n\n=== {name} {}\n\n", word.get_name()));
                page.push_str(&word.render_help().to_string());
            }
        }
        insta::assert_snapshot!(page);
    }

    #[test]
    fn every_global_option_has_a_variable_that_its_help_names() {
        let mut command = Arguments::command();
        command.build();
        for verb in command.get_subcommands_mut() {
            let help = verb.render_long_help().to_string();
            for name in ["FILE", "STATE_DIR", "JSON", "QUIET", "VERBOSE", "NO_COLOR", "TIMEOUT"] {
                assert!(help.contains(&format!("[env: MAINSTAY_{name}]")), "{name} in {}", verb.get_name());
            }
        }
    }

    #[test]
    fn the_file_comes_before_logs_and_follow_after() {
        let arguments = Arguments::try_parse_from(["mainstay", "-f", "x.toml", "logs", "-f", "api"]).unwrap();
        assert_eq!(arguments.global.file, Some(PathBuf::from("x.toml")));
        assert!(matches!(&arguments.verb, Verb::Logs(logs) if logs.follow && logs.services == ["api"]));
        let arguments = Arguments::try_parse_from(["mainstay", "logs", "--file", "x.toml"]).unwrap();
        assert_eq!(arguments.global.file, Some(PathBuf::from("x.toml")));
        let arguments = Arguments::try_parse_from(["mainstay", "up", "-f", "x.toml"]).unwrap();
        assert_eq!(arguments.global.file, Some(PathBuf::from("x.toml")));
    }

    #[test]
    fn times_are_read_as_in_the_file() {
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("1m 30s"), Ok(Duration::from_secs(90)));
        for bad in ["", "5", "-1s", "soon"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
    }
}
