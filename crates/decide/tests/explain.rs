//! Sentences read aloud: a life is lived on the stage, and then somebody asks why.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

mod scene;

use std::time::Duration;

use mainstay_decide::{
    Asker, Event, Explanation, LogTrouble, Notice, Past, PastAct, PastApply, PastChange, Reading, explain,
    last_seen,
};
use mainstay_model::{
    Attempts, Condition, Exit, HookName, Moment, Reason, RestartWhen, ServiceId, Signal, SpawnFailure,
    SpawnFailureKind, Spec,
};
use scene::{With as _, at, id, oneshot, permanent, stage::Stage};

/// The stage, and what else is remembered of the day.
struct Day {
    stage: Stage,
    acts: Vec<PastAct>,
    applies: Vec<(ServiceId, PastApply)>,
    log: Option<LogTrouble>,
    dropped: u64,
}

/// The clock's origin is at nine in the morning.
fn wall(moment: Moment) -> Duration {
    Duration::from_secs(9 * 3600) + moment.since(Moment::ZERO)
}

fn clock(time: Duration) -> String {
    let minutes = time.as_secs() / 60;
    format!("{:02}:{:02}", minutes / 60, minutes % 60)
}

impl Day {
    fn of(specs: &[Spec]) -> Self {
        Self { stage: Stage::of(specs), acts: Vec::new(), applies: Vec::new(), log: None, dropped: 0 }
    }

    /// At ten, all of them are wanted.
    fn up(specs: &[Spec]) -> Self {
        let mut day = Self::of(specs);
        day.stage.now = at(3600);
        let names: Vec<String> = specs.iter().map(|spec| spec.id.to_string()).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        day.stage.want(&names);
        day
    }

    /// So many seconds pass, in which nothing happens but what is due.
    fn wait(&mut self, seconds: u64) -> &mut Self {
        self.stage.wait(seconds);
        self
    }

    /// It is made and ends with this code, and so are the next ones.
    fn fails(&mut self, name: &str, times: u32, code: i32) -> &mut Self {
        for turn in 0..times {
            if turn > 0 {
                self.stage.wait(60);
            }
            self.stage.made(&[name]);
            self.stage.exited(name, code);
        }
        self
    }

    /// Somebody asks for it, with those words.
    fn asked(&mut self, text: &str) -> &mut Self {
        let by = Some(Asker { uid: 0, name: None, pid: Some(42) });
        self.acts.push(PastAct { at: wall(self.stage.now), text: text.to_owned(), by });
        self
    }

    fn applied(&mut self, generation: u64, name: &str, settings: &[&str]) -> &mut Self {
        let apply = PastApply {
            at: wall(self.stage.now),
            generation,
            before: (generation > 1).then(|| generation - 1),
            by: Some(Asker { uid: 1000, name: Some("kim".to_owned()), pid: None }),
            settings: settings.iter().map(|setting| (*setting).to_owned()).collect(),
        };
        self.applies.push((id(name), apply));
        self
    }

    fn past(&self, of: &ServiceId) -> Past {
        let changes = self.stage.changes.iter().filter(|(_, change)| change.id == *of);
        let changes = changes.map(|(at, change)| PastChange {
            at: wall(*at),
            to: change.to,
            run: change.run,
            wanted: change.wanted,
            failed: change.failed,
            exit: change.exit,
            code: change.reason.code().to_owned(),
            text: change.reason.sentence(*at),
        });
        let applies = self.applies.iter().filter(|(id, _)| id == of).map(|(_, apply)| apply.clone());
        Past { changes: changes.collect(), applies: applies.collect() }
    }

    fn explained(&self, name: &str) -> Explanation {
        let mut situations = self.stage.project.situations(&id(name));
        (situations[0].log, situations[0].dropped_bytes) = (self.log.clone(), self.dropped);
        let past: Vec<Past> = situations.iter().map(|it| self.past(&it.status.id)).collect();
        let past: Vec<&Past> = past.iter().collect();
        let (now, acts) = (self.stage.now, &self.acts);
        explain(&situations, &past, &Reading { now, wall: wall(now), clock: &clock, acts }).unwrap()
    }

    #[track_caller]
    fn says(&self, name: &str, sentence: &str) -> &Self {
        assert_eq!(self.explained(name).sentence, sentence);
        self
    }

    #[track_caller]
    fn next(&self, name: &str, next: &str) -> &Self {
        assert_eq!(self.explained(name).next, next);
        self
    }

    #[track_caller]
    fn tries(&self, name: &str, commands: &[&str]) -> &Self {
        let tries = self.explained(name).tries;
        let tries: Vec<&str> = tries.iter().map(|one| one.command.as_str()).collect();
        assert_eq!(tries, commands);
        self
    }

    /// The links, as they are printed.
    fn chain(&self, name: &str) -> Vec<String> {
        let link = |link: &mainstay_decide::Link| match (&link.service, link.phase) {
            (Some(id), Some(phase)) => {
                format!("{} {id} {phase}: {}", clock(link.at.unwrap()), link.text)
            }
            _ => format!("{} {}", clock(link.at.unwrap()), link.text),
        };
        self.explained(name).chain.iter().map(link).collect()
    }
}

fn shop() -> [Spec; 2] {
    [permanent("db").asked(), permanent("api").needs("db", Condition::Ready)]
}

#[test]
fn the_promise() {
    let mut day = Day::up(&shop());
    day.stage.made(&["db"]);
    day.stage.answered("db", Ok(()));
    day.stage.made(&["api"]);
    day.wait(3600).applied(41, "db", &["command"]);
    let mut specs = shop();
    specs[0] = specs[0].clone().runs("./other");
    specs[1] = specs[1].clone().runs("./other");
    day.stage.apply(&specs);
    day.stage.exited("db", 0);
    day.stage.exited("api", 0);
    day.fails("db", 3, 1);
    day.says(
        "api",
        "api is waiting for db, which failed 3 times with exit 1 since 11:00 after generation 41 changed db.command; next try in 4 s",
    );
    day.next("api", "db is started again in 4 s (restart 3 of 10); api starts once db is ready");
    day.tries("api", &["mainstay logs db -n 50", "mainstay start db", "mainstay rollback 40"]);
    assert_eq!(
        day.chain("api"),
        [
            "11:00 api waiting: waiting for db to be ready",
            "11:02 db waiting: exited with 1; restart 3 of 10 in 4 s",
            "11:00 3 failures in a row, the last one at 11:02",
            "11:00 generation 41 changed db.command, applied by kim",
        ]
    );
    day.says(
        "db",
        "db failed 3 times with exit 1 since 11:00 after generation 41 changed db.command; next try in 4 s",
    );
}

#[test]
fn what_is_well() {
    let mut day = Day::up(&[permanent("api").restarts(RestartWhen::Always)]);
    day.stage.made(&["api"]);
    day.wait(60).says("api", "api has been running since 10:00");
    day.next("api", "nothing is about to change").tries("api", &[]);
    day.stage.exited("api", 3);
    day.wait(1);
    day.stage.made(&["api"]);
    day.says(
        "api",
        "api has been running since 10:01; it was restarted once, at 10:01, because it exited with 3",
    );
    day.stage.killed("api");
    day.wait(60);
    day.stage.made(&["api"]);
    day.says(
        "api",
        "api has been running since 10:02; it was restarted twice, the last time at 10:01, because it was ended by signal KILL",
    );
    assert_eq!(
        day.chain("api"),
        ["10:02 api running: its process runs", "10:01 failed before: ended by signal KILL"]
    );
}

#[test]
fn starting() {
    let mut day = Day::up(&shop());
    day.says("db", "db is being started").next("db", "the process of db is being made");
    day.stage.made(&["db"]);
    day.says(
        "db",
        "db has been starting since 10:00 and waits for tcp 127.0.0.1:80; it has 30 s left for that",
    );
    day.stage.answered("db", Err("refused"));
    day.wait(3).says(
        "db",
        "db has been starting since 10:00 and is not ready: tcp 127.0.0.1:80 refused; it has 27 s left for that",
    );
    day.says(
        "api",
        "api is waiting for db, which has been starting since 10:00 and is not ready: tcp 127.0.0.1:80 refused; db has 27 s left for that",
    );
    day.next(
        "api",
        "db is ready once tcp 127.0.0.1:80 succeeds; if not in 27 s, its start has failed; api starts once db is ready",
    );
    let mut day = Day::up(&[permanent("api").ready_after(5)]);
    day.stage.made(&["api"]);
    day.says(
        "api",
        "api has been starting since 10:00 and counts as ready 5 s after its start; it is ready in 5 s",
    );
    let mut day = Day::up(&[permanent("api").notifies()]);
    day.stage.made(&["api"]);
    day.says("api", "api has been starting since 10:00 and waits for its READY=1; it has 30 s left for that");
}

#[test]
fn not_ready_in_time() {
    let mut day = Day::up(&shop());
    day.stage.made(&["db"]);
    day.stage.answered("db", Err("refused"));
    day.wait(29);
    day.stage.answered("db", Err("refused"));
    day.wait(1);
    day.says(
        "db",
        "db is being ended because it was not ready within 30 s (tcp 127.0.0.1:80 refused); what is left of it is killed in 10 s",
    );
    day.stage.ended("db", Exit::Signal(Signal::TERM));
    day.says(
        "api",
        "api is waiting for db, which failed at 10:00: it was not ready within 30 s (tcp 127.0.0.1:80 refused); next try in 1 s",
    );
    day.tries(
        "api",
        &["mainstay logs db -n 50", "mainstay config explain service.db.ready", "mainstay start db"],
    );
    day.wait(1);
    day.stage.made(&["db"]);
    day.says(
        "db",
        "db has been starting since 10:00, after a failure at 10:00, and waits for tcp 127.0.0.1:80; it has 30 s left for that",
    );
}

#[test]
fn given_up() {
    let mut api = permanent("api").asked();
    api.restart.attempts = Attempts::UpTo(2);
    let mut day = Day::up(&[api.clone(), permanent("web").needs("api", Condition::Ready)]);
    day.fails("api", 3, 1);
    day.says(
        "api",
        "api failed 3 times with exit 1 between 10:00 and 10:02 and was given up after 2 restarts",
    );
    day.next("api", "nothing happens by itself")
        .tries("api", &["mainstay logs api -n 50", "mainstay start api"]);
    day.says(
        "web",
        "web is waiting for api, which failed 3 times with exit 1 between 10:00 and 10:02 and was given up after 2 restarts; nothing starts api by itself",
    );
    day.next("web", "nothing happens by itself; web starts once api is ready");
    let mut day = Day::up(&[api.clone().restarts(RestartWhen::Never)]);
    day.fails("api", 1, 7);
    day.says(
        "api",
        "api failed with exit 7 at 10:00 and is not restarted because its restart policy is never",
    );
    api.restart.attempts = Attempts::UpTo(0);
    let mut day = Day::up(&[api]);
    day.fails("api", 1, 7).says("api", "api failed with exit 7 at 10:00 and is allowed no restart");
}

#[test]
fn failures_of_several_kinds() {
    let mut day = Day::up(&[permanent("api")]);
    day.fails("api", 2, 1).wait(60);
    day.fails("api", 1, 2);
    day.says("api", "api failed 3 times since 10:00, the last time with exit 2; next try in 4 s");
    day.wait(60);
    day.stage.made(&["api"]);
    day.stage.ended("api", Exit::Unknown);
    day.says(
        "api",
        "api failed 4 times since 10:00, the last time because it ended while nobody could see how; next try in 8 s",
    );
    // A run that was well ends the row.
    day.wait(60);
    day.stage.made(&["api"]);
    day.wait(600);
    day.stage.killed("api");
    day.says("api", "api failed with signal KILL at 10:14; next try in 1 s");
}

#[test]
fn an_apply_is_blamed_only_for_what_came_of_it() {
    let api = permanent("api");
    let mut day = Day::up(std::slice::from_ref(&api));
    day.applied(1, "api", &[]);
    day.fails("api", 1, 1).says("api", "api failed with exit 1 at 10:00; next try in 1 s");
    // It failed already before.
    day.wait(1).applied(2, "api", &["env.LEVEL", "command", "user", "stop.timeout"]);
    day.fails("api", 1, 1).says("api", "api failed twice with exit 1 since 10:00; next try in 2 s");
    day.wait(2);
    day.stage.made(&["api"]);
    // It was well since.
    day.wait(900);
    day.stage.exited("api", 1);
    day.says("api", "api failed with exit 1 at 10:15; next try in 1 s");
    day.wait(1);
    day.stage.made(&["api"]);
    day.wait(900).applied(3, "api", &["env.LEVEL", "command", "user", "stop.timeout"]);
    day.stage.exited("api", 1);
    day.says(
        "api",
        "api failed with exit 1 at 10:30 after generation 3 changed api.env.LEVEL, api.command and 2 more; next try in 1 s",
    );
}

#[test]
fn programs_that_cannot_be_made() {
    let failure = |kind, text: &str| SpawnFailure { kind, text: text.to_owned() };
    let not_made = |day: &mut Day, failure: SpawnFailure| {
        let run = day.stage.run("api");
        day.stage.event("api", Event::NotSpawned { run, failure });
    };
    let mut day = Day::up(&[permanent("api")]);
    day.applied(5, "api", &["command"]);
    not_made(&mut day, failure(SpawnFailureKind::NoProgram, "`./api` does not exist"));
    day.says(
        "api",
        "api could not be started at 10:00 after generation 5 changed api.command: `./api` does not exist; next try in 1 s",
    );
    day.tries(
        "api",
        &["mainstay config explain service.api.command", "mainstay start api", "mainstay rollback 4"],
    );
    let mut api = permanent("api");
    api.restart.attempts = Attempts::UpTo(1);
    let mut day = Day::up(&[api]);
    let user = failure(SpawnFailureKind::NoUser, "there is no user `shop`");
    not_made(&mut day, user.clone());
    day.wait(60);
    not_made(&mut day, user);
    day.says(
        "api",
        "api could not be started twice between 10:00 and 10:01 and was given up after one restart: there is no user `shop`",
    );
    day.tries("api", &["mainstay config explain service.api.user", "mainstay start api"]);
}

#[test]
fn oneshots() {
    let specs = [oneshot("migrate"), permanent("api").needs("migrate", Condition::Completed)];
    let mut day = Day::up(&specs);
    day.stage.made(&["migrate"]);
    day.wait(5).says(
        "api",
        "api is waiting for migrate, which has been running since 10:00 and has not completed yet",
    );
    day.next("api", "migrate goes on until it ends by itself; api starts once migrate has completed");
    day.stage.exited("migrate", 1);
    day.says(
        "api",
        "api is waiting for migrate, which failed with exit 1 at 10:00 and is not restarted because its restart policy is never; nothing starts migrate by itself",
    );
    day.tries("api", &["mainstay logs migrate -n 50", "mainstay start migrate"]);
    let mut day = Day::up(&specs);
    day.stage.made(&["migrate"]);
    day.wait(5);
    day.stage.exited("migrate", 0);
    day.says("migrate", "migrate completed with exit 0 at 10:00 after 5 s");
    let mut day = Day::up(&specs);
    day.stage.made(&["migrate"]);
    day.stage.ended("migrate", Exit::Unknown);
    day.says(
        "migrate",
        "migrate ended at 10:00 while nobody could see how, and is not run again by itself because that could do its work twice",
    );
    day.says(
        "api",
        "api is waiting for migrate, which ended at 10:00 while nobody could see how, and is not run again by itself because that could do its work twice; nothing starts migrate by itself",
    );
    day.tries("api", &["mainstay logs migrate -n 50", "mainstay start migrate"]);
}

#[test]
fn stopped_and_by_whom() {
    let mut day = Day::of(&shop());
    day.says("api", "api is stopped because nobody has started it").tries("api", &["mainstay start api"]);
    day.stage.want(&["api"]);
    day.stage.made(&["db"]);
    day.stage.answered("db", Ok(()));
    day.stage.made(&["api"]);
    day.wait(60).asked("stop db");
    day.stage.stop(&["db"]);
    day.says(
        "db",
        "db was asked to stop by root (pid 42) at 09:02 and goes on until api, which needs it, has ended",
    );
    day.next("db", "db is stopped when nothing needs it any more").tries("db", &["mainstay explain api"]);
    day.says(
        "api",
        "api is being stopped since 09:02 because root (pid 42) stopped db, which it needs; what is left of it is killed in 10 s",
    );
    day.stage.exited("api", 0);
    day.says("db", "db is being stopped by root (pid 42) since 09:02; what is left of it is killed in 10 s");
    day.wait(10).says("db", "db is being stopped by root (pid 42) since 09:02 and was sent KILL");
    day.stage.killed("db");
    day.says("db", "db was stopped by root (pid 42) at 09:02");
    day.says("api", "api was stopped at 09:02 because root (pid 42) stopped db, which it needs");
    assert_eq!(
        day.chain("api"),
        ["09:02 api stopped: stopped on request", "09:02 root (pid 42) asked for `stop db`"]
    );
    day.stage.want(&["api"]);
    day.stage.made(&["db"]);
    day.asked("kill d*");
    day.stage.kill(&["db"]);
    day.stage.killed("db");
    day.says("db", "db was killed by root (pid 42) at 09:02");
    day.says(
        "api",
        "api is waiting for db, which was killed by root (pid 42) at 09:02; nothing starts db by itself",
    );
    day.acts.clear();
    day.says("db", "db was killed on request at 09:02");
}

#[test]
fn ended_by_itself_and_left_so() {
    let mut day = Day::up(&[permanent("api")]);
    day.stage.made(&["api"]);
    day.stage.exited("api", 0);
    day.says(
        "api",
        "api ended with exit 0 at 10:00 and is not started again because its restart policy is on-failure",
    );
}

#[test]
fn paused_reset_and_restarted() {
    let mut day = Day::up(&shop());
    day.stage.made(&["db"]);
    day.stage.answered("db", Ok(()));
    day.asked("pause db");
    day.stage.pause(&["db"]);
    day.says("db", "db was paused by root (pid 42) at 10:00").tries("db", &["mainstay resume db"]);
    day.stage.resume(&["db"]);
    day.asked("restart db");
    day.stage.restart(&["db"]);
    day.says(
        "db",
        "db is being restarted because root (pid 42) asked for a restart at 10:00; what is left of it is killed in 10 s",
    );
    let mut api = permanent("api").restarts(RestartWhen::Never);
    api.restart.attempts = Attempts::UpTo(0);
    let mut day = Day::up(&[api]);
    day.fails("api", 1, 1).asked("resetfailed api");
    day.stage.reset(&["api"]);
    // Nothing tells others of a reset but the phase.
    day.says("api", "api is stopped because root (pid 42) took its failure back at 10:00");
}

#[test]
fn unhealthy() {
    let specs = [permanent("db").well(), permanent("api").needs("db", Condition::Healthy)];
    let mut day = Day::up(&specs);
    day.stage.made(&["db"]);
    day.says(
        "api",
        "api is waiting for db, which has been running since 10:00 and has not been found healthy yet",
    );
    day.stage.answered("db", Ok(()));
    day.stage.made(&["api"]);
    day.wait(10);
    day.stage.answered("db", Err("refused"));
    day.says(
        "db",
        "db has been running since 10:00, but tcp 127.0.0.1:81 refused (1 of 2 failures in a row); one more failure restarts it",
    );
    day.next("db", "db is asked again in 10 s");
    day.wait(10);
    day.stage.answered("db", Err("refused"));
    day.says(
        "db",
        "db is being ended because its health check failed twice in a row: tcp 127.0.0.1:81 refused; what is left of it is killed in 10 s",
    );
    day.stage.ended("db", Exit::Signal(Signal::TERM));
    day.says(
        "db",
        "db failed at 10:00: its health check failed twice in a row: tcp 127.0.0.1:81 refused; next try in 1 s",
    );
    day.tries(
        "db",
        &["mainstay logs db -n 50", "mainstay config explain service.db.health", "mainstay start db"],
    );
}

#[test]
fn silent() {
    let mut day = Day::up(&[permanent("api").notifies()]);
    day.stage.made(&["api"]);
    day.stage.says("api", Notice::Ready);
    day.wait(30);
    day.says(
        "api",
        "api is being ended because its watchdog heard nothing for 30 s; what is left of it is killed in 10 s",
    );
    day.stage.ended("api", Exit::Signal(Signal::ABRT));
    day.says("api", "api failed at 10:00: its watchdog heard nothing for 30 s; next try in 1 s");
}

#[test]
fn hooks_and_reloads() {
    let mut day = Day::up(&[permanent("api").hooked()]);
    day.says("api", "api has been starting since 10:00 and waits for its before_start hook to end; the hook has 1 min left");
    day.stage.hook("api", HookName::BeforeStart, Err("exited with 2"));
    day.says("api", "api failed at 10:00: its before_start hook exited with 2; next try in 1 s");
    day.wait(1);
    day.says(
        "api",
        "api has been starting since 10:00, after a failure at 10:00, and waits for its before_start hook to end; the hook has 1 min left",
    );
    day.stage.hook("api", HookName::BeforeStart, Ok(()));
    day.stage.made(&["api"]);
    day.stage.hook("api", HookName::AfterStart, Ok(()));
    day.stage.reload(&["api"]);
    day.says("api", "api has been running since 10:00 and is reading its configuration again");
    day.stage.hook("api", HookName::Reload, Ok(()));
    day.asked("stop all");
    day.stage.stop(&["api"]);
    day.says(
        "api",
        "api is being stopped by root (pid 42) since 10:00 and waits for its before_stop hook to end; the hook has 1 min left",
    );
    day.stage.hook("api", HookName::BeforeStop, Ok(()));
    day.stage.exited("api", 0);
    day.says("api", "api has ended and waits for its after_stop hook to end; the hook has 1 min left");
}

#[test]
fn said_by_itself() {
    let mut day = Day::up(&[permanent("api").notifies()]);
    day.stage.made(&["api"]);
    day.stage.says("api", Notice::Ready);
    day.stage.says("api", Notice::Stopping);
    day.says("api", "api says that it is about to end");
}

#[test]
fn removed_and_changed() {
    let mut day = Day::up(&[permanent("old"), permanent("api")]);
    day.stage.made(&["old", "api"]);
    day.applied(8, "api", &["command"]);
    day.stage.apply(&[permanent("api").runs("./api2")]);
    day.says(
        "old",
        "old is being removed because it is no longer in the files; what is left of it is killed in 10 s",
    );
    day.says(
        "api",
        "api is being restarted because generation 8 changed api.command; what is left of it is killed in 10 s",
    );
}

#[test]
fn a_file_that_changed_and_a_dependency_that_went_away() {
    let mut day = Day::up(&[permanent("db"), permanent("api").follows("db", Condition::Started)]);
    day.stage.made(&["db"]);
    day.stage.made(&["api"]);
    day.stage.exited("db", 1);
    day.says(
        "api",
        "api is being restarted because db, which it needs, went away; what is left of it is killed in 10 s",
    );
    let mut day = Day::up(&[permanent("api")]);
    day.stage.made(&["api"]);
    day.stage.event("api", Event::Restart(Reason::FileChanged { path: "src/main.rs".to_owned() }));
    day.says(
        "api",
        "api is being restarted because src/main.rs changed; what is left of it is killed in 10 s",
    );
    day.stage.exited("api", 0);
    day.stage.made(&["api"]);
    day.wait(120);
    day.says(
        "api",
        "api has been running since 10:00; it was restarted at 10:00 because src/main.rs changed",
    );
    // The run after that one has another beginning.
    day.stage.exited("api", 1);
    day.wait(1);
    day.stage.made(&["api"]);
    day.says(
        "api",
        "api has been running since 10:02; it was restarted once, at 10:02, because it exited with 1",
    );
}

#[test]
fn turns_of_a_rolling_restart() {
    let mut day = Day::up(&[permanent("api@1"), permanent("api@2")]);
    day.stage.made(&["api@1", "api@2"]);
    day.stage.roll(&["api@1", "api@2"]);
    day.says("api@2", "api@2 has been running since 10:00 and is restarted as soon as api@1 is ready again");
    day.next("api@2", "api@2 is restarted when api@1 is ready");
}

#[test]
fn a_log_that_takes_nothing() {
    let mut day = Day::up(&[permanent("api")]);
    day.stage.made(&["api"]);
    let trouble = LogTrouble { since: wall(at(3660)), text: "no space left".to_owned(), dropped: false };
    day.log = Some(trouble.clone());
    day.says(
        "api",
        "api has been running since 10:00, but its log has not been writable since 10:01 (no space left), and it will wait once its pipe is full",
    );
    day.tries("api", &["df -h"]);
    day.log = Some(LogTrouble { dropped: true, ..trouble });
    day.says(
        "api",
        "api has been running since 10:00, but its log has not been writable since 10:01 (no space left), and its output is dropped",
    );
    day.dropped = 4_300;
    day.says(
        "api",
        "api has been running since 10:00, but its log has not been writable since 10:01 (no space left), and its output is dropped (4.1 KiB so far)",
    );
    // It is no news any more, but it explains what is missing.
    day.log = None;
    day.says("api", "api has been running since 10:00");
    let links: Vec<String> = day.explained("api").chain.into_iter().map(|link| link.text).collect();
    assert_eq!(links.last().unwrap(), "4.1 KiB of its output were dropped while its log took nothing");
}

#[test]
fn chains_of_two_four_and_twenty() {
    let chain = |length: usize| -> Vec<Spec> {
        (0..length)
            .map(|at| match at {
                0 => permanent("s0").asked(),
                at => permanent(&format!("s{at}")).needs(&format!("s{}", at - 1), Condition::Ready),
            })
            .collect()
    };
    let root = "failed with exit 1 at 10:00; next try in 1 s";
    let mut day = Day::up(&chain(3));
    day.fails("s0", 1, 1);
    day.says("s2", &format!("s2 is waiting for s1, which is waiting for s0, which {root}"));
    let mut day = Day::up(&chain(5));
    day.fails("s0", 1, 1);
    day.says(
        "s4",
        &format!("s4 is waiting for s3, which, by way of s2 and s1, is waiting for s0, which {root}"),
    );
    let mut day = Day::up(&chain(20));
    day.fails("s0", 1, 1);
    day.says(
        "s19",
        &format!(
            "s19 is waiting for s18, which, by way of s17, s16, s15 and 14 more, is waiting for s0, which {root}"
        ),
    );
    assert_eq!(day.explained("s19").chain.len(), 8);
}

#[test]
fn a_new_daemon_explains_as_the_one_before_it() {
    let specs = [permanent("api")];
    let mut day = Day::up(&specs);
    day.fails("api", 2, 1);
    let text = "api failed twice with exit 1 since 10:00; next try in 2 s";
    day.says("api", text);
    let mut memory = day.stage.project.service(&id("api")).unwrap().memory();
    memory.reason = Reason::Recalled {
        code: memory.reason.code().to_owned(),
        text: memory.reason.sentence(day.stage.now),
    };
    let live = mainstay_decide::Live::Over(mainstay_model::RunId(2));
    let mut stage = Stage::recalled_at(day.stage.now, &specs, &["api"], &[("api", Some(memory), live)]);
    stage.changes = std::mem::take(&mut day.stage.changes);
    day.stage = stage;
    day.says("api", text);
    assert_eq!(day.chain("api")[0], "10:01 api waiting: exited with 1; restart 2 of 10 in 2 s");
    // Without any history, what is known is said.
    day.stage.changes.clear();
    day.says("api", "api failed twice with exit 1; next try in 2 s");
}

#[test]
fn when_no_daemon_runs() {
    let mut day = Day::up(&[permanent("api")]);
    day.stage.made(&["api"]);
    let seen = |day: &Day| last_seen(&id("api"), &day.past(&id("api")).changes, &day.acts, &clock).sentence;
    assert_eq!(
        seen(&day),
        "api is down because no daemon runs; it was last seen at 10:00, when it was running: its process runs"
    );
    day.asked("down");
    day.stage.stop(&["api"]);
    day.stage.exited("api", 0);
    assert_eq!(
        seen(&day),
        "api is down because root (pid 42) brought the project down at 10:00, and no daemon runs since"
    );
    assert_eq!(
        last_seen(&id("api"), &[], &[], &clock).sentence,
        "api is down because no daemon runs, and nothing is known of what it did before"
    );
}
