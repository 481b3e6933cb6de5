//! `mainstay man`: one manual page with all verbs, in roff.

use std::io;

use clap::{Arg, Args, Command};
use clap_mangen::Man as Page;

use crate::{arguments::Arguments, exit::Exit, failure::Failure, output::Output};

/// Writes the manual page
#[derive(Debug, Args)]
#[command(after_help = "Read it with `mainstay man | man -l -`.")]
pub(crate) struct Man {}

const END: &str = r#".SH FILES
.TP
\fImainstay.toml\fR
The project: the nearest one of the current directory and those above, else \fI/etc/mainstay/mainstay.toml\fR with
\fI/etc/mainstay/conf.d/*.toml\fR.
.TP
\fImainstay.local.toml\fR
Beside it, laid over it.
.TP
\fI.mainstay/\fR
Beside it: state, and the logs of each service in \fIlogs/NAME/current\fR. \fI.mainstay/run\fR points to where the socket is.
.SH ENVIRONMENT
\fBMAINSTAY_FILE\fR, \fBMAINSTAY_STATE_DIR\fR, \fBMAINSTAY_JSON\fR, \fBMAINSTAY_QUIET\fR, \fBMAINSTAY_VERBOSE\fR,
\fBMAINSTAY_NO_COLOR\fR and \fBMAINSTAY_TIMEOUT\fR stand for the options of the same names.
.PP
\fBNO_COLOR\fR: no colours. \fBXDG_RUNTIME_DIR\fR: the directory under which sockets and FIFOs are made.
.SH EXIT STATUS
0 done; 1 failed, or the answer is no; 2 usage; 4 not permitted; 5 no such service; 6 invalid configuration; 69 no daemon;
70 a defect of ours; 124 timed out; 130 interrupted.
.PP
\fBstatus\fR \fINAME\fR: 0 running; 3 stopped or completed; 5 no such service; 150 starting or waiting; 152 failed.
.PP
\fBrun\fR exits as its program did, with 128+n for signal n.
"#;

impl Man {
    pub(crate) fn run(&self, output: &Output) -> Result<Exit, Failure> {
        let page =
            page().map_err(|error| Failure::new(Exit::Bug, format!("no page can be made: {error}")))?;
        output.print(&page);
        Ok(Exit::Done)
    }
}

fn page() -> io::Result<String> {
    let mut whole = Arguments::described();
    whole.build();
    let mut bytes = Vec::new();
    let page = Page::new(whole.clone()).manual("Mainstay").date("");
    page.render_title(&mut bytes)?;
    page.render_name_section(&mut bytes)?;
    page.render_synopsis_section(&mut bytes)?;
    page.render_description_section(&mut bytes)?;
    page.render_options_section(&mut bytes)?;
    let mut text = into_text(bytes)?;
    text.push_str(".SH COMMANDS\n");
    for verb in whole.get_subcommands() {
        text.push_str(&section(verb.get_name(), verb)?);
        for word in verb.get_subcommands() {
            text.push_str(&section(&format!("{} {}", verb.get_name(), word.get_name()), word)?);
        }
    }
    text.push_str(END);
    Ok(text)
}

/// One verb as a part of the page. Options that it shares with all others are not said again.
fn section(name: &str, verb: &Command) -> io::Result<String> {
    let is_shared =
        |argument: &Arg| argument.is_global_set() || matches!(argument.get_id().as_str(), "file" | "help");
    let own = verb.clone().mut_args(|argument| {
        let shared = is_shared(&argument);
        argument.hide(shared)
    });
    let has_own = verb.get_arguments().any(|argument| !is_shared(argument));
    let page = Page::new(own);
    let mut bytes = Vec::new();
    page.render_synopsis_section(&mut bytes)?;
    page.render_description_section(&mut bytes)?;
    if has_own {
        page.render_options_section(&mut bytes)?;
    }
    if verb.get_after_help().is_some() {
        page.render_extra_section(&mut bytes)?;
    }
    // Within a part, what would be a heading is a paragraph.
    let heading = |line: &&str| line.starts_with(".SH");
    let prelude = |line: &&str| line.starts_with(".ie") || line.starts_with(".el");
    let body = into_text(bytes)?;
    let lines = body.lines().filter(|line| !prelude(line));
    let lines: Vec<&str> = lines.map(|line| if heading(&line) { ".PP" } else { line }).collect();
    Ok(format!(".SS mainstay {name}\n{}\n", lines.join("\n")))
}

fn into_text(bytes: Vec<u8>) -> io::Result<String> {
    String::from_utf8(bytes).map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page() {
        let version = env!("CARGO_PKG_VERSION");
        insta::assert_snapshot!(page().unwrap().replace(version, "VERSION"));
    }
}
