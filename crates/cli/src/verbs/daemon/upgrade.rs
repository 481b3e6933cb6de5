//! `mainstay daemon upgrade`.

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use clap::Args;
use mainstay_client::ClientError;
use mainstay_wire::{Answer, Request, SCHEMA_VERSION, UpgradeOutcome, UpgradeView};

use crate::{
    door,
    exit::Exit,
    failure::Failure,
    launch,
    output::{Form, Loudness},
    places::Places,
    verbs::Context,
};

/// How long all of it may take when nobody says otherwise: as long as its parts may, and a little more.
const PATIENCE: Duration = Duration::from_secs(90);

/// Puts this program in the place of the one that runs the project; services go on as if nothing happened
#[derive(Debug, Args)]
#[command(after_help = UPGRADE_HELP)]
pub(crate) struct Upgrade {
    /// The new program [default: the one that is called]
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
}

const UPGRADE_HELP: &str = "\
The new program first looks at what it would find, and may refuse. Then keeper and daemon become it, and last the anchor, in \
the same processes: services stay their children, no line of output is lost, nothing is restarted. When the new daemon is not \
up within 30 s, or something ends in its first second, the old program takes its place back.";

/// What became of it.
struct Upgraded {
    from: String,
    to: String,
    upgrade: UpgradeView,
    running: usize,
}

impl Upgrade {
    pub(crate) fn run(&self, context: &Context<'_>) -> Result<Exit, Failure> {
        let places = context.places()?;
        launch::refuse_elsewhere(&places)?;
        let program = self.program()?;
        let upgraded = upgrade(&places, context.timeout().unwrap_or(PATIENCE), &program)?;
        let output = context.output;
        let why = match &upgraded.upgrade.outcome {
            UpgradeOutcome::Done => None,
            UpgradeOutcome::Trying => Some("nobody knows what became of it".to_owned()),
            UpgradeOutcome::TakenBack { why } => Some(why.clone()),
        };
        if output.form() == Form::Json {
            output.json(&serde_json::json!({
                "schema_version": SCHEMA_VERSION,
                "program": program,
                "from": upgraded.from,
                "to": upgraded.to,
                "upgrade": upgraded.upgrade,
                "running": upgraded.running,
            }));
            return Ok(if why.is_some() { Exit::Failed } else { Exit::Done });
        }
        if let Some(why) = why {
            let text = format!("the upgrade to `{}` was taken back: {why}", program.display());
            let help = format!(
                "{} still runs, and so does every service; `mainstay logs @daemon` may say more",
                upgraded.from
            );
            return Err(Failure::new(Exit::Failed, text).with_help(help));
        }
        if output.loudness() > Loudness::Quiet {
            output.line(&done(&upgraded, &program));
        }
        Ok(Exit::Done)
    }

    fn program(&self) -> Result<PathBuf, Failure> {
        let failed = |error: std::io::Error, path: &Path| {
            Failure::new(Exit::Failed, format!("cannot use `{}`: {error}", path.display()))
        };
        match &self.program {
            Some(path) => path.canonicalize().map_err(|error| failed(error, path)),
            None => std::env::current_exe().map_err(|error| failed(error, Path::new("this program"))),
        }
    }
}

fn done(Upgraded { from, to, running, .. }: &Upgraded, program: &Path) -> String {
    let services = match running {
        0 => "nothing ran".to_owned(),
        1 => "one service went on".to_owned(),
        many => format!("{many} services went on"),
    };
    let versions = if from == to { format!("{to} again") } else { format!("{to} instead of {from}") };
    format!("anchor, keeper and daemon are {versions} (`{}`); {services}", program.display())
}

/// A keeper without an anchor first becomes one, as the program that it is; then it is asked again.
fn upgrade(places: &Places, patience: Duration, program: &Path) -> Result<Upgraded, Failure> {
    let until = Instant::now() + patience;
    let first = upgrade_once(places, patience, until, program)?;
    let is_other =
        first.upgrade.outcome == UpgradeOutcome::Done && Path::new(&first.upgrade.program) != program;
    if is_other { upgrade_once(places, patience, until, program) } else { Ok(first) }
}

fn upgrade_once(
    places: &Places,
    patience: Duration,
    until: Instant,
    program: &Path,
) -> Result<Upgraded, Failure> {
    let left = || until.saturating_duration_since(Instant::now());
    let no_text = || Failure::new(Exit::Failed, format!("`{}` is no UTF-8", program.display()));
    let path = program.to_str().ok_or_else(no_text)?;
    let mut client = door::connect(places, Some(left())).map_err(|error| door::explain(error, places))?;
    let request = Request::Upgrade { program: path.to_owned() };
    let Answer::Upgrading { number_before, from, to } = door::order(&mut client, Some(left()), &request)?
    else {
        return Err(strange());
    };
    loop {
        let question =
            Request::UpgradeVerdict { after: number_before, within_ms: door::milliseconds(Some(left())) };
        let asked = door::connect(places, Some(left()))
            .and_then(|mut client| door::order(&mut client, Some(left()), &question));
        match asked {
            // One daemon ends, another one comes: whoever connects meanwhile waits for it.
            Err(ClientError::Closed) if !left().is_zero() => {}
            Ok(Answer::Upgraded { upgrade: Some(upgrade), running, .. })
                if upgrade.number > number_before && upgrade.outcome != UpgradeOutcome::Trying =>
            {
                return Ok(Upgraded { from, to, upgrade, running });
            }
            Ok(Answer::Upgraded { .. }) => {
                return Err(Failure::new(
                    Exit::TimedOut,
                    format!("it was not over within {} s", patience.as_secs()),
                )
                .with_help("`mainstay history` says what became of it"));
            }
            Ok(_) => return Err(strange()),
            Err(error) => return Err(door::explain(error, places)),
        }
    }
}

fn strange() -> Failure {
    ClientError::Protocol("it answers another question".to_owned()).into()
}
