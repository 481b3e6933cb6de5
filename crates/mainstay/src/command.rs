//! The command line of a program that is made of services: which one to run, with which configuration.

use std::{
    env,
    ffi::OsString,
    io::Write as _,
    path::{Path, PathBuf},
    process::ExitCode,
    rc::Rc,
    sync::Arc,
};

use clap::{Arg, ArgAction, ArgMatches, Command};

use crate::{
    Ending, Registration, Registry,
    called::Called,
    calls::Calls,
    controller::{Life, TimeLimits, id_of, orders},
    launch,
    monitor::{Monitor, messengers},
    names::kept,
    process::Process,
    settings::{ConfigProblem, Inputs, SettingShape, starter},
};

/// What is known of a program that is made of services.
#[derive(Clone, Copy, Debug)]
pub struct Program {
    /// Its name.
    pub name: &'static str,
    /// Its version.
    pub version: &'static str,
}

/// The `main` of a program that is made of services. With a [`Registry`] in the brackets, of those; else of all that have
/// [`#[service]`](crate::service).
#[macro_export]
macro_rules! main {
    () => {
        $crate::main!($crate::Registry::discover());
    };
    ($registry:expr) => {
        fn main() -> ::std::process::ExitCode {
            let program =
                $crate::Program { name: env!("CARGO_PKG_NAME"), version: env!("CARGO_PKG_VERSION") };
            $crate::run_program(program, $registry, ::std::env::args_os())
        }
    };
}

/// Does what the command line says. [`main!`](crate::main) calls this.
pub fn run_program(
    program: Program,
    registry: Registry,
    words: impl IntoIterator<Item = OsString>,
) -> ExitCode {
    let matches = match command(program, &registry).try_get_matches_from(words) {
        Ok(matches) => matches,
        Err(error) => {
            // Help and version are no failure; who closed our output has seen enough.
            let _ = error.print();
            return if error.use_stderr() { Ending::Usage.into() } else { Ending::Done.into() };
        }
    };
    if let Err(error) = registry.check() {
        return refuse(Ending::InvalidConfig, &error.to_string());
    }
    match matches.subcommand() {
        Some(("list", _)) => list(&registry),
        Some(("config", matches)) => config(program, &registry, matches),
        Some(("launch", matches)) => launched(&registry, matches),
        #[cfg(feature = "command")]
        Some(("service", matches)) => crate::embedded::run(&registry, matches),
        Some(_) | None => match chosen(program, &registry, &matches) {
            Ok(chosen) => run(chosen),
            Err((ending, words)) => refuse(ending, &words),
        },
    }
}

fn refuse(ending: Ending, words: &str) -> ExitCode {
    // Nobody is left to be told when standard error is closed.
    let _ = writeln!(std::io::stderr(), "error: {words}");
    ending.into()
}

fn say(words: &str) -> ExitCode {
    // Who closed our output has seen enough.
    let _ = std::io::stdout().write_all(words.as_bytes());
    Ending::Done.into()
}

fn command(program: Program, registry: &Registry) -> Command {
    let names: Vec<&str> = registry.names().collect();
    let about = match names.as_slice() {
        [name] => format!("Runs the service `{name}`"),
        names => format!("Runs one of the services {}", names.join(", ")),
    };
    let mut command = Command::new(program.name)
        .version(program.version)
        .about(about)
        .args_conflicts_with_subcommands(true)
        .arg(Arg::new("config").value_name("CONFIG").help("The file with its settings; `-` for none"))
        .arg(Arg::new("service").value_name("SERVICE").help("Which service, when there are several"))
        .arg(Arg::new("instance").value_name("INSTANCE").help("Which instance of it [default: 1]"))
        .subcommand(Command::new("list").about("Lists the services of this program"))
        .subcommand(config_command())
        .subcommand(launch_command());
    #[cfg(feature = "command")]
    {
        command = command.subcommand(crate::embedded::command(registry));
    }
    for shape in registry.all().iter().flat_map(Registration::settings) {
        let flag = flag_of(&shape);
        if command.get_arguments().any(|known| known.get_id().as_str() == flag) {
            continue;
        }
        let help = shape.help.lines().next().unwrap_or_default().to_owned();
        let default = shape.default.filter(|_| !shape.kind.is_secret);
        let help = default.map_or(help.clone(), |default| format!("{help} [default: {default}]"));
        command = command.arg(
            Arg::new(flag.clone())
                .long(flag)
                .value_name("VALUE")
                .help(help)
                .help_heading("Settings")
                // A secret on a command line can be read by everybody.
                .hide(shape.kind.is_secret)
                .allow_hyphen_values(true)
                .action(ArgAction::Set),
        );
    }
    command
}

fn config_command() -> Command {
    Command::new("config")
        .about("Shows and makes configurations")
        .subcommand_required(true)
        .subcommand(
            Command::new("show").about("Each setting, its value, and where it came from").arg(of_service()),
        )
        .subcommand(
            Command::new("init")
                .about("Writes a file with every setting at its default")
                .arg(Arg::new("file").value_name("FILE").help("Where [default: PROGRAM.toml]")),
        )
        .subcommand(Command::new("schema").about("The settings as a JSON Schema").arg(of_service()))
}

fn launch_command() -> Command {
    Command::new("launch")
        .about("Runs the services that a file describes, as tasks of this process and as processes")
        .arg(Arg::new("file").value_name("FILE").required(true).help("The file that describes them"))
        .arg(
            Arg::new("names")
                .value_name("NAME")
                .num_args(0..)
                .help("Only these, with what they depend on [default: all]"),
        )
        .arg(
            Arg::new("id")
                .long("id")
                .value_name("ID")
                .help("What the launcher is called in the ids of its runners [default: the file's name]"),
        )
}

fn of_service() -> Arg {
    Arg::new("service").value_name("SERVICE").help("Which service, when there are several")
}

/// The argument of a setting: `max_size` as `max-size`.
pub(crate) fn flag_of(shape: &SettingShape) -> String {
    shape.name.replace('_', "-")
}

/// A service that is to be run, with everything that is said of it.
struct Chosen {
    registration: Registration,
    name: &'static str,
    instance: String,
    inputs: Inputs,
}

type Refusal = (Ending, String);

fn chosen(program: Program, registry: &Registry, matches: &ArgMatches) -> Result<Chosen, Refusal> {
    let said = |name: &str| matches.get_one::<String>(name).cloned();
    let file = file_of(program, said("config").as_deref());
    let name = said("service");
    let registration = find(registry, name.as_deref(), file.as_deref())?;
    let mut inputs = Inputs::new(registration, name.as_deref().unwrap_or(registration.name()), file);
    let shapes = registration.settings();
    for other in registry.all().iter().flat_map(Registration::settings) {
        let flag = flag_of(&other);
        let Some(text) = said(&flag) else { continue };
        let Some(shape) = shapes.iter().find(|shape| flag_of(shape) == flag) else {
            let words = format!("`{}` has no setting `{}`", registration.name(), other.name);
            return Err((Ending::Usage, words));
        };
        inputs.arguments.push((shape.name.to_owned(), text));
    }
    let name = name.map_or(registration.name(), |name| kept(&name));
    let instance = said("instance").unwrap_or_else(|| "1".to_owned());
    inputs.instance.clone_from(&instance);
    Ok(Chosen { registration: *registration, name, instance, inputs })
}

/// The registered type of this name, of the name that a file gives another, or the only one.
fn find<'a>(
    registry: &'a Registry,
    name: Option<&str>,
    file: Option<&Path>,
) -> Result<&'a Registration, Refusal> {
    let names = || registry.names().collect::<Vec<_>>().join(", ");
    let Some(name) = name else {
        return match registry.all() {
            [only] => Ok(only),
            [] => Err((Ending::Usage, "this program has no services: put #[service] on one".to_owned())),
            _ => Err((Ending::Usage, format!("which service? there are: {}", names()))),
        };
    };
    let uses = file.and_then(|file| Inputs::uses(file, name));
    let wanted = uses.as_deref().unwrap_or(name);
    let wanted = wanted.rsplit_once(':').map_or(wanted, |(_, service)| service);
    registry
        .get(wanted)
        .ok_or_else(|| (Ending::Usage, format!("there is no service `{wanted}`; there are: {}", names())))
}

/// The file that is said, or one in the usual places.
fn file_of(program: Program, said: Option<&str>) -> Option<PathBuf> {
    match said {
        Some("-") => None,
        Some(path) => Some(PathBuf::from(path)),
        None => usual_files(program).into_iter().find(|path| path.is_file()),
    }
}

/// Where a program looks for its file.
fn usual_files(program: Program) -> Vec<PathBuf> {
    let name = format!("{}.toml", program.name);
    let home = || env::var_os("HOME").map(|home| PathBuf::from(home).join(".config"));
    let user = env::var_os("XDG_CONFIG_HOME").map(PathBuf::from).or_else(home);
    let mut places = vec![PathBuf::from(&name)];
    places.extend(user.map(|user| user.join(program.name).join(&name)));
    places.push(Path::new("/etc").join(program.name).join(&name));
    places
}

fn launched(registry: &Registry, matches: &ArgMatches) -> ExitCode {
    let file = PathBuf::from(matches.get_one::<String>("file").cloned().unwrap_or_default());
    let names = matches.get_many::<String>("names").into_iter().flatten().cloned().collect();
    let id = matches.get_one::<String>("id").cloned();
    if let Some(code) = crate::init::run_below() {
        return code;
    }
    match launch::launch(launch::Launch { registry: registry.clone(), file, names, id }) {
        Ok(ending) => ending.into(),
        Err((ending, words)) => refuse(ending, &words),
    }
}

fn run(chosen: Chosen) -> ExitCode {
    if let Some(code) = crate::init::run_below() {
        return code;
    }
    let process = match Process::begin() {
        Ok(process) => process,
        Err(error) => return refuse(Ending::Failed, &format!("the process cannot be set up: {error}")),
    };
    let limits = match TimeLimits::of(&chosen.registration) {
        Ok(limits) => limits,
        Err(words) => return refuse(Ending::InvalidConfig, &words),
    };
    if chosen.inputs.file.is_none() {
        tracing::debug!("no configuration file is there: it runs on its defaults");
    }
    let (send, receive) = orders();
    let maker = (chosen.registration.maker)();
    let inputs = Rc::new(chosen.inputs);
    let monitor = Monitor::detached(&id_of(chosen.name, &chosen.instance));
    let calls = Calls::begin(Called {
        monitor: monitor.clone(),
        registration: chosen.registration,
        maker,
        name: chosen.name,
        instance: chosen.instance.clone(),
        inputs: Rc::clone(&inputs),
        orders: send.clone(),
        outlet: Arc::<crate::notify::Notifier>::clone(&process.notifier),
    });
    let calls = match calls {
        Ok(calls) => calls,
        Err(words) => return refuse(Ending::Failed, &words),
    };
    let life = Life {
        registration: chosen.registration,
        name: chosen.name,
        monitor,
        instance: chosen.instance,
        read: Box::new(move || inputs.read(maker.read)),
        limits,
        outlet: calls.outlet(),
        guard: Arc::clone(&process.guard),
        messengers: Vec::new(),
        surroundings: Arc::new(process.surroundings()),
    };
    let signals = send.clone();
    let reported = async move {
        // Those that need the runtime can be made in it only.
        let messengers = messengers();
        Life { messengers, ..life }.run(send, receive).await
    };
    let begun = process.forward_signals(signals, limits.stop);
    match begun.and_then(|()| process.run(calls.beside(reported))) {
        Ok(ending) => ending.into(),
        Err(error) => refuse(Ending::Failed, &format!("the process cannot be set up: {error}")),
    }
}

fn list(registry: &Registry) -> ExitCode {
    say(&registry.names().map(|name| format!("{name}\n")).collect::<String>())
}

fn config(program: Program, registry: &Registry, matches: &ArgMatches) -> ExitCode {
    match matches.subcommand() {
        Some(("init", matches)) => init(program, registry, matches.get_one::<String>("file")),
        Some(("show", matches)) => show(program, registry, matches),
        Some(("schema", matches)) => schema(registry, matches),
        Some(_) | None => Ending::Usage.into(),
    }
}

fn init(program: Program, registry: &Registry, file: Option<&String>) -> ExitCode {
    let path = file.map_or_else(|| PathBuf::from(format!("{}.toml", program.name)), PathBuf::from);
    let text = starter(registry.all().iter().map(|one| (one.name(), one.settings())));
    let written = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&path)
        .and_then(|mut file| file.write_all(text.as_bytes()));
    match written {
        Ok(()) => say(&format!("{} has every setting at its default\n", path.display())),
        Err(error) => refuse(Ending::Failed, &format!("cannot make `{}`: {error}", path.display())),
    }
}

fn show(program: Program, registry: &Registry, matches: &ArgMatches) -> ExitCode {
    let name = matches.get_one::<String>("service").map(String::as_str);
    let file = file_of(program, None);
    let registration = match find(registry, name, file.as_deref()) {
        Ok(registration) => registration,
        Err((ending, words)) => return refuse(ending, &words),
    };
    let inputs = Inputs::new(registration, name.unwrap_or(registration.name()), file);
    match inputs.read((registration.maker)().read) {
        Ok((_, explained)) => {
            let line = |one: &crate::Explained| {
                let value = one.value.as_deref().unwrap_or("(not set)");
                format!("{} = {value}  # {}\n", one.name, one.origin)
            };
            say(&explained.iter().map(line).collect::<String>())
        }
        Err(problems) => refuse(Ending::InvalidConfig, &listed(&problems)),
    }
}

fn listed(problems: &[ConfigProblem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\nerror: ")
}

fn schema(registry: &Registry, matches: &ArgMatches) -> ExitCode {
    let name = matches.get_one::<String>("service").map(String::as_str);
    match find(registry, name, None) {
        Ok(registration) => say(&format!("{:#}\n", crate::settings::schema(&registration.settings()))),
        Err((ending, words)) => refuse(ending, &words),
    }
}
