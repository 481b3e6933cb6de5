//! One storm: draws what happens next, hands it to the daemon, and has everything looked at.

use std::collections::{BTreeMap, BTreeSet};

use mainstay_decide::{Change, Event, Service};
use mainstay_model::{Exit, Moment, PhaseName, RunId, ServiceId, Spec};
use mainstay_runner::Runner;

use crate::{
    Coverage, Invariant,
    blueprint::Blueprint,
    book::Book,
    breach::{Breach, Checked, breach, hold},
    dice::Dice,
    hands::{Act, Command, Hands},
    keeper::Keeper,
    look::Ticked,
    reasons,
    voice::Question,
};

/// Steps for each event at most: some move only time, or the keeper.
const STEPS_PER_EVENT: u64 = 50;
/// Ticks without time moving until it counts as a loop.
const TICKS_AT_ONCE: u32 = 3;

/// Whether what happens is written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Log {
    /// Line by line.
    Kept,
    /// It is not: that is faster.
    None,
}

/// What a daemon writes before it acts.
#[derive(Debug, Default)]
pub(crate) struct Saved {
    pub(crate) specs: Vec<Spec>,
    pub(crate) wanted: BTreeSet<ServiceId>,
}

/// A daemon in a storm.
pub(crate) struct Storm {
    pub(crate) now: Moment,
    pub(crate) dice: Dice,
    pub(crate) runner: Runner<Hands>,
    pub(crate) hands: Hands,
    pub(crate) keeper: Keeper,
    pub(crate) book: Book,
    pub(crate) blueprint: Blueprint,
    pub(crate) saved: Saved,
    /// The phases as the changes tell them.
    pub(crate) phases: BTreeMap<ServiceId, PhaseName>,
    pub(crate) coverage: Coverage,
    pub(crate) lines: Option<Vec<String>>,
    ticks_at_once: u32,
}

/// What a call of the daemon was.
pub(crate) struct Call {
    pub(crate) ticked: Ticked,
    /// Which service it was about, when only one.
    pub(crate) about: Option<ServiceId>,
    /// The end that it told.
    pub(crate) told: Option<(ServiceId, RunId)>,
    /// Whether the edges may have changed with it, or what is known of them.
    pub(crate) rewired: bool,
}

impl Call {
    /// One that tells no end and changes no edge.
    pub(crate) const PLAIN: Self = Self { ticked: Ticked::No, about: None, told: None, rewired: false };
    /// One after which services need others than before.
    pub(crate) const REWIRED: Self = Self { rewired: true, ..Self::PLAIN };
}

impl Storm {
    /// Before anything was applied.
    pub(crate) fn new(seed: u64, log: Log) -> Self {
        let mut dice = Dice::new(seed);
        let keeper = Keeper::new(dice.split());
        let hands = Hands::default();
        Self {
            now: Moment::from_nanos(1_000_000_000),
            runner: Runner::new(hands.clone()),
            hands,
            keeper,
            book: Book::default(),
            blueprint: Blueprint::random(&mut dice),
            dice,
            saved: Saved::default(),
            phases: BTreeMap::new(),
            coverage: Coverage::default(),
            lines: (log == Log::Kept).then(Vec::new),
            ticks_at_once: 0,
        }
    }

    /// So many events, then the calm.
    pub(crate) fn run(&mut self, events: u64) -> Checked {
        self.apply()?;
        self.want_all()?;
        for _ in 0..events * STEPS_PER_EVENT {
            if self.coverage.events >= events {
                break;
            }
            self.step()?;
        }
        self.calm()
    }

    /// Draws what happens next.
    fn step(&mut self) -> Checked {
        match self.dice.below(200) {
            0..14 => self.ask(),
            14..17 => self.die(),
            17..27 => {
                self.now = self.now + self.dice.up_to_ms(200);
                Ok(())
            }
            27..29 => {
                self.now = self.now + self.dice.any_span();
                Ok(())
            }
            29 => {
                self.now = self.now + self.dice.up_to_ms(3_600_000);
                self.tick()
            }
            30..34 => self.tick(),
            _ if self.is_idle() => self.ask(),
            _ => self.next(),
        }
    }

    /// Whether nothing is on its way.
    pub(crate) fn is_idle(&self) -> bool {
        self.keeper.next_at().is_none() && self.runner.project().wake_at().is_none()
    }

    /// Lets the next thing happen: of the keeper, or of time.
    pub(crate) fn next(&mut self) -> Checked {
        let (keeper, wake) = (self.keeper.next_at(), self.runner.project().wake_at());
        let tick = match (keeper, wake) {
            (Some(keeper), Some(wake)) if keeper == wake || keeper.max(wake) <= self.now => {
                self.dice.chance(50)
            }
            (Some(keeper), Some(wake)) => wake < keeper,
            (None, Some(_)) => true,
            (_, None) => false,
        };
        let at = if tick { wake } else { keeper };
        self.now = self.now.max(at.unwrap_or(self.now));
        if tick {
            return self.tick();
        }
        match self.keeper.step(self.now)? {
            Some((id, event)) => self.hear(&id, event),
            None => Ok(()),
        }
    }

    /// The daemon's clock strikes.
    fn tick(&mut self) -> Checked {
        self.coverage.see("event", "tick");
        self.note(|| "tick".to_owned());
        let edges = self.book.restart_edges();
        let now = self.now;
        for record in self.book.records.values_mut() {
            if let Some(live) = &mut record.live {
                live.ticked(now, &record.spec);
            }
        }
        let due = self.runner.project().wake_at().is_some_and(|at| at <= now);
        self.ticks_at_once = if due { self.ticks_at_once + 1 } else { 0 };
        hold(self.ticks_at_once <= TICKS_AT_ONCE, Invariant::WakesKept, || "ticks follow ticks".to_owned())?;
        let changes = self.runner.tick(now);
        self.after(&changes, &Call { ticked: Ticked::Yes, ..Call::PLAIN })?;
        if self.runner.project().wake_at().is_none_or(|at| at > now) {
            self.ticks_at_once = 0;
        }
        self.book.check_lost(&edges)
    }

    /// The daemon hears something.
    fn hear(&mut self, id: &ServiceId, event: Event) -> Checked {
        self.note(|| format!("{id}: {}", event_text(&event)));
        let edges = self.book.restart_edges();
        let news = self.write_in(id, &event);
        self.see_event(id, &event, news);
        let told = match event {
            Event::Exited { run, .. } | Event::NotSpawned { run, .. } => Some((id.clone(), run)),
            Event::HookEnded { run, hook, .. } => {
                let act = Act::AcknowledgeHook { run, hook };
                self.keeper.send(self.now, Command { id: id.clone(), act });
                None
            }
            _ => None,
        };
        let changes = self.runner.event(self.now, id, event);
        self.after(&changes, &Call { told, about: Some(id.clone()), ..Call::PLAIN })?;
        if self.runner.project().service(id).is_some() {
            reasons::check_status(id, self.runner.project(), self.now)?;
        }
        self.book.check_lost(&edges)
    }

    /// Writes what is told into the books. Whether it was news.
    fn write_in(&mut self, id: &ServiceId, event: &Event) -> bool {
        let now = self.now;
        let Some(record) = self.book.records.get_mut(id) else { return false };
        if let Event::Answered { run, question, .. } = event
            && record.is_asked_otherwise(*run, *question)
        {
            self.coverage.see("event", "answered, to an earlier question");
        }
        record.told(now, event)
    }

    /// Looks at everything that a call has led to.
    pub(crate) fn after(&mut self, changes: &[Change], call: &Call) -> Checked {
        self.coverage.events += 1;
        let mut acknowledged = false;
        self.book.ticks = call.ticked == Ticked::Yes;
        let mut touched: BTreeSet<ServiceId> = changes.iter().map(|change| change.id.clone()).collect();
        touched.extend(call.about.clone());
        if call.rewired {
            touched.extend(self.runner.project().ids().cloned());
        }
        for command in self.hands.take() {
            touched.insert(command.id.clone());
            self.note(|| format!("    → {} {}", command.id, command.act.text()));
            self.check_acknowledgement(&command, call, &mut acknowledged)?;
            self.see_next(&command);
            let attempt = self.runner.project().service(&command.id).map_or(0, Service::attempts);
            self.book.command(self.now, &command, attempt)?;
            self.coverage.see("act", command.act.name());
            match &command.act {
                Act::Ask { run, check, question, spec } => {
                    let question = Question { run: *run, check: *check, number: *question, spec };
                    self.keeper.ask(self.now, &command.id, &question);
                }
                _ => self.keeper.send(self.now, command),
            }
        }
        hold(acknowledged == call.told.is_some(), Invariant::EndsAcknowledged, || {
            format!("the end {:?} is not acknowledged", call.told)
        })?;
        self.check_changes(changes, call)?;
        for id in touched {
            self.see_state(&id);
        }
        self.book.look(self.now, self.runner.project(), call.ticked)
    }

    /// An acknowledgement answers the end that was told, before any spawn; or the run is over and only memory changed.
    fn check_acknowledgement(&mut self, command: &Command, call: &Call, done: &mut bool) -> Checked {
        let told = call.told.as_ref().filter(|(id, _)| *id == command.id).map(|(_, run)| *run);
        match &command.act {
            Act::Acknowledge { run, .. } if told == Some(*run) && !*done => *done = true,
            Act::Acknowledge { run, .. } => {
                return Err(breach(
                    Invariant::EndsAcknowledged,
                    format!("{}: run {run} is acknowledged, and nobody told its end", command.id),
                ));
            }
            Act::Spawn { .. } | Act::RunHook { .. } => {
                hold(told.is_none() || *done, Invariant::EndsAcknowledged, || {
                    format!("{} goes on before its end is acknowledged", command.id)
                })?
            }
            _ => {}
        }
        Ok(())
    }

    fn check_changes(&mut self, changes: &[Change], call: &Call) -> Checked {
        let project = self.runner.project();
        for change in changes {
            let known = self.phases.insert(change.id.clone(), change.to).unwrap_or(PhaseName::Stopped);
            hold(known == change.from || call.rewired, Invariant::ChangesTold, || {
                format!("{} is told to change from {}, and was {known}", change.id, change.from)
            })?;
            if project.service(&change.id).is_some() {
                reasons::check_status(&change.id, project, self.now)?;
            }
        }
        self.phases.retain(|id, _| project.service(id).is_some());
        for id in project.ids() {
            let Some(service) = project.service(id) else { continue };
            let is = service.phase().name();
            let told = *self.phases.entry(id.clone()).or_insert(PhaseName::Stopped);
            hold(is == told, Invariant::ChangesTold, || format!("{id} is {is}, and was told to be {told}"))?;
        }
        Ok(())
    }

    /// Writes a line, when lines are kept.
    pub(crate) fn note(&mut self, line: impl FnOnce() -> String) {
        if let Some(lines) = &mut self.lines {
            let seconds = self.now.as_nanos() / 1_000_000_000;
            let micros = self.now.as_nanos() / 1_000 % 1_000_000;
            lines.push(format!("{seconds:>7}.{micros:06} {}", line()));
        }
    }

    /// A call that failed where it must not.
    pub(crate) fn refused(error: &mainstay_decide::GraphError) -> Breach {
        breach(Invariant::BadDescriptionRefused, format!("a good description is refused: {error}"))
    }
}

fn event_text(event: &Event) -> String {
    match event {
        Event::Spawned { run, pid } => format!("spawned run {run} pid {pid}"),
        Event::NotSpawned { run, failure } => format!("not spawned run {run} {}", failure.text),
        Event::Exited { run, exit: Exit::Unknown } => format!("exited run {run}, nobody saw how"),
        Event::Exited { run, exit } => format!("exited run {run} {exit}"),
        Event::Answered { run, question, answer } => {
            format!("answered run {run} question {} {answer:?}", question.0)
        }
        other => format!("{other:?}"),
    }
}
