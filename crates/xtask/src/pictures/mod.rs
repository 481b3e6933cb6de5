//! `cargo xtask pictures`: runs sample projects, and draws what a terminal shows of them into `docs/pictures/`. Knows verbs,
//! and nothing of how they answer.
//!
//! What is drawn is what the program wrote, on a real terminal of that width. What differs from run to run (process numbers,
//! times, memory) is replaced by samples on the way from the daemon to the program (`mirror`), before anything is laid out:
//! so that columns are as wide as they would be, and the same pictures come out again.

mod album;
mod glass;
mod mirror;
mod page;
mod project;
mod samples;
mod screen;
mod steady;
mod svg;
#[cfg(test)]
mod tests;

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, bail};

use self::{
    album::{ALBUM, How, Picture},
    glass::{Until, piped, watch},
    project::Project,
    screen::Screen,
};
use crate::{repo, run_visibly};

/// Where the sample projects are while they run: the same on each machine, because pictures show it.
const ROOT: (&str, &str) = ("/tmp", "mainstay-pictures");

/// Builds the program and draws every picture, or those of one project.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let (program, only) = chosen(arguments)?;
    let (parent, name) = ROOT;
    let root = tempfile::Builder::new().prefix(name).rand_bytes(0).tempdir_in(parent).with_context(|| {
        let act = "when nobody else draws at the moment, `mainstay down` what runs in there, and remove it";
        format!("cannot make `{parent}/{name}`: {act}")
    })?;
    let folder = repo::root().join("docs/pictures");
    fs::create_dir_all(&folder).with_context(|| format!("cannot make `{}`", folder.display()))?;
    let mut drawn = Vec::new();
    for sample in
        samples::SAMPLES.iter().filter(|sample| only.as_deref().is_none_or(|only| only == sample.name))
    {
        let mut project = Project::start(sample, &program, root.path())?;
        for picture in ALBUM.iter().filter(|picture| picture.project == sample.name) {
            drawn.extend(draw(picture, &mut project, &folder)?);
        }
    }
    if only.is_none() {
        page::write(&folder, &drawn)?;
    }
    Ok(())
}

/// The program, and which project.
fn chosen(arguments: &[String]) -> Result<(PathBuf, Option<String>)> {
    let (mut program, mut only) = (None, None);
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        let place = match word.as_str() {
            "--program" => &mut program,
            "--only" => &mut only,
            other => bail!("`{other}` is neither `--only PROJECT` nor `--program FILE`"),
        };
        *place = Some(words.next().with_context(|| format!("`{word}` lacks its value"))?.clone());
    }
    if let Some(only) =
        only.as_deref().filter(|only| samples::SAMPLES.iter().all(|sample| sample.name != *only))
    {
        let names: Vec<&str> = samples::SAMPLES.iter().map(|sample| sample.name).collect();
        bail!("there is no project `{only}`; there are {}", names.join(", "));
    }
    let Some(program) = program else {
        run_visibly(repo::cargo().args(["build", "--quiet", "--locked", "--package", "mainstay-cli"]))?;
        return Ok((repo::target_dir().join("debug/mainstay"), only));
    };
    Ok((fs::canonicalize(&program).with_context(|| format!("there is no `{program}`"))?, only))
}

/// A picture that was drawn.
struct Drawn {
    picture: &'static Picture,
    how: How,
    file: String,
    command: String,
}

/// Draws a picture in each of its forms. None of a verb that the program does not have.
fn draw(picture: &'static Picture, project: &mut Project, folder: &Path) -> Result<Vec<Drawn>> {
    if !has_verb(project, picture.verb())? {
        println!("skipped {}: the program has no verb `{}`", picture.name, picture.verb());
        return Ok(Vec::new());
    }
    project.become_newer(picture.changes)?;
    let mut drawn = Vec::new();
    for how in picture.how {
        let screen = look(picture, *how, project)?;
        let file = format!("{}-{}-{}.svg", picture.project, picture.name, how.word());
        let command = how.command(picture);
        if picture.must_not_wrap && !matches!(how, How::Piped) {
            screen.wrapped().iter().for_each(|line| println!("{file}: wraps: {line}"));
        }
        let path = folder.join(&file);
        fs::write(&path, svg::draw(&command, &screen))
            .with_context(|| format!("cannot write `{}`", path.display()))?;
        println!("{}", repo::shown(&repo::root(), &path));
        drawn.push(Drawn { picture, how: *how, file, command });
    }
    Ok(drawn)
}

/// What is on the screen when the verb has answered.
fn look(picture: &Picture, how: How, project: &Project) -> Result<Screen> {
    let mut command = project.command(picture.arguments);
    let mut screen = match how {
        How::Piped => Screen::of_text(&piped(&mut command)?),
        How::Columns(columns) | How::Plain(columns) => {
            command.env("TERM", "xterm-256color");
            if matches!(how, How::Plain(_)) {
                command.env("NO_COLOR", "1");
            }
            let (until, rows) = match picture.live {
                Some(text) => (Until::Still(text), album::LIVE_ROWS),
                None => (Until::Ended, album::ROWS),
            };
            Screen::of(&watch(&command, columns, rows, until)?)
        }
    };
    if let Some(lines) = picture.lines {
        screen.keep(lines);
    }
    screen.steady();
    Ok(screen)
}

fn has_verb(project: &Project, verb: &str) -> Result<bool> {
    let mut command: Command = project.command(&[verb, "--help"]);
    let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
    Ok(status.with_context(|| format!("cannot ask for `{verb}`"))?.success())
}
