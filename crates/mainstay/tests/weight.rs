//! What one task beside others costs in memory, beyond its own state, and that tasks that do nothing cost no time: counted with
//! many of them, by the allocator of this executable.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "this is a test")]

use std::{
    process::ExitCode,
    sync::atomic::{AtomicI64, AtomicU64, Ordering},
};

use libtest_mimic::{Arguments, Trial};
use mainstay::prelude::*;
use mainstay_host::CountingAllocator;
use rustix::process::{Signal, getpid, kill_process};

/// The most that one may cost.
const LIMIT: i64 = 8 * 1024;

/// How many there are, at the least and at the most.
const FEW: i64 = 1;
const MANY: i64 = 1_000;

static WEIGHED: AtomicI64 = AtomicI64::new(0);
static SWITCHES: AtomicU64 = AtomicU64::new(0);

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator::new();

/// Does nothing, and has no state.
#[service(name = "idle")]
struct Idle;

impl Permanent for Idle {
    async fn start(&mut self, _ctx: &Context) -> Result {
        Ok(())
    }
}

/// Starts when all others have, weighs them, looks whether anything stirs, and ends the process.
#[service(name = "scales")]
struct Scales;

impl SingleShot for Scales {
    async fn execute(&mut self, ctx: &Context) -> Result {
        WEIGHED.store(ALLOCATOR.live_bytes(), Ordering::Relaxed);
        ctx.off_thread(|| {
            // What was done last is over by then.
            std::thread::sleep(Duration::from_millis(1_200));
            let before = switches()?;
            std::thread::sleep(Duration::from_millis(500));
            SWITCHES.store(switches()?.saturating_sub(before), Ordering::Relaxed);
            Ok(())
        })
        .await?;
        kill_process(getpid(), Signal::TERM)?;
        Ok(())
    }
}

/// How often a thread of this process gave the processor back, but for this one.
fn switches() -> Result<u64> {
    let mut sum = 0;
    for entry in std::fs::read_dir("/proc/self/task")? {
        let path = entry?.path();
        let own = std::fs::read_link("/proc/thread-self")?;
        if path.file_name() == own.file_name() {
            continue;
        }
        let status = std::fs::read_to_string(path.join("status"))?;
        let counts = status.lines().filter(|line| line.contains("ctxt_switches"));
        sum += counts.filter_map(|line| line.split_whitespace().last()?.parse::<u64>().ok()).sum::<u64>();
    }
    Ok(sum)
}

/// What is allocated while so many of them run.
fn weighed(count: i64) -> i64 {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("services.toml");
    let text = format!(
        "[service.idle]\nuse = \"idle\"\nrunner = \"task\"\ninstances = {count}\n\
         [service.scales]\nuse = \"scales\"\nkind = \"oneshot\"\nrunner = \"task\"\ndepends_on = [\"idle\"]\n"
    );
    std::fs::write(&file, text).unwrap();
    let words = ["weight".into(), "launch".into(), file.into_os_string()];
    let program = mainstay::Program { name: "weight", version: "0" };
    let code = mainstay::run_program(program, mainstay::Registry::discover(), words);
    assert_eq!(format!("{code:?}"), format!("{:?}", ExitCode::SUCCESS));
    WEIGHED.load(Ordering::Relaxed)
}

fn cheap() {
    let each = (weighed(MANY) - weighed(FEW)) / (MANY - FEW);
    let switches = SWITCHES.load(Ordering::Relaxed);
    #[allow(clippy::print_stdout, reason = "this is what is measured")]
    {
        println!("a task costs {each} bytes; {switches} switches of its process in half a second");
    }
    assert!(each < LIMIT, "{each} bytes");
    assert_eq!(switches, 0);
}

fn main() -> ExitCode {
    let trial = Trial::test("a_task_is_cheap_and_an_idle_one_costs_no_time", || {
        cheap();
        Ok(())
    });
    libtest_mimic::run(&Arguments::from_args(), vec![trial]).exit_code()
}
