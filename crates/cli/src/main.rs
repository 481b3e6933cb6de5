//! The `mainstay` program: reads its arguments, runs the verb, and ends with the verb's exit code.

mod arguments;
mod changes;
mod door;
mod doors;
mod exit;
mod failure;
mod foreground;
mod holders;
mod launch;
mod output;
mod places;
mod project;
mod signals;
mod times;
mod top;
mod verbs;
mod view;

use std::{process::ExitCode, sync::Arc};

use crate::{arguments::Arguments, exit::Exit, output::Output};

fn main() -> ExitCode {
    let arguments = match Arguments::read() {
        Ok(arguments) => arguments,
        Err(error) => {
            // Nothing is left to be done when help cannot be written either.
            let _ = error.print();
            return if error.use_stderr() { Exit::Usage } else { Exit::Done }.into();
        }
    };
    let output = Arc::new(Output::new(&arguments.global));
    // A panic has said what it is by itself; here it becomes the exit code that stands for it.
    match std::panic::catch_unwind(|| run(arguments, &output)) {
        Ok(exit) => exit.into(),
        Err(_) => Exit::Bug.into(),
    }
}

fn run(arguments: Arguments, output: &Arc<Output>) -> Exit {
    let exit = match verbs::run(arguments, output) {
        Ok(exit) => exit,
        Err(failure) => {
            output.fail(&failure);
            failure.exit
        }
    };
    output.finish(exit)
}
