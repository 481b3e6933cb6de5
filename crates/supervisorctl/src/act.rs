//! The methods that change something, and those that would and are refused. What is done about it the daemon decides.

use std::collections::{BTreeMap, BTreeSet};

use mainstay_model::Signal;
use mainstay_wire::{Act, Answer, Request, ServiceView, Settled, SettledState};

use crate::{
    call::{Caller, cannot_clear, unexpected},
    fault::{Code, Fault},
    look::blocking,
    names::{self, Chosen, choose, group_of},
    process::State,
    settle,
    xml::Value,
};

/// When a method is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ask {
    /// When it is done or has failed.
    Wait,
    /// When it was asked for.
    Go,
}

impl Ask {
    pub(crate) fn wait(wait: bool) -> Self {
        if wait { Self::Wait } else { Self::Go }
    }
}

/// How it went with one process.
pub(crate) type Outcome = (ServiceView, Result<(), Fault>);

/// What stops took along, by the process that was stopped. Supervisor knows no dependencies: a `supervisorctl restart db`, which
/// is a stop and a start, must leave what depends on `db` running if it ran before. So the start of a process takes along what
/// its stop through this door did. Never more than there are services.
#[derive(Debug, Default)]
pub(crate) struct TakenAlong(BTreeMap<String, BTreeSet<String>>);

impl TakenAlong {
    fn stopped(&mut self, named: &[String], along: &BTreeSet<String>) {
        // Who is stopped by name stays so.
        for others in self.0.values_mut() {
            others.retain(|id| !named.contains(id));
        }
        for id in named.iter().filter(|_| !along.is_empty()) {
            self.0.entry(id.clone()).or_default().extend(along.iter().cloned());
        }
        self.0.retain(|_, others| !others.is_empty());
    }

    fn started(&mut self, named: &[String]) -> Vec<String> {
        let along: BTreeSet<String> = named.iter().filter_map(|id| self.0.remove(id)).flatten().collect();
        along.into_iter().filter(|id| !named.contains(id)).collect()
    }
}

/// Which processes a method is about.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Whom<'a> {
    /// The one with this name, or the group that is meant by `group:*`.
    Named(&'a str),
    Group(&'a str),
    All,
}

/// What is done to them.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Deed<'a> {
    Start(Ask),
    Stop(Ask),
    /// The name or the number of a signal.
    Signal(&'a str),
}

impl Deed<'_> {
    /// Whether it can be done to a process as it stands. Of several, the others are passed over.
    fn fits(self, view: &ServiceView) -> bool {
        let state = State::of(view);
        match self {
            Self::Start(_) => !state.is_up(),
            Self::Stop(_) => state.is_up(),
            Self::Signal(_) => state.is_signallable(),
        }
    }

    /// Why it cannot be done to one that was named.
    fn check(self, view: &ServiceView, name: &str) -> Result<(), Fault> {
        let code = match self {
            Self::Start(_) => Code::AlreadyStarted,
            Self::Stop(_) => Code::NotRunning,
            Self::Signal(word) => {
                signal(word)?;
                Code::NotRunning
            }
        };
        if self.fits(view) { Ok(()) } else { Err(Fault::new(code, name)) }
    }
}

impl Caller {
    /// Does something to processes. What is asked of a single one is answered for it alone, else with a list.
    pub(crate) async fn act_on(&self, whom: Whom<'_>, deed: Deed<'_>) -> Result<Value, Fault> {
        let services = self.services().await?;
        let mut views = match whom {
            Whom::Named(name) => match choose(&services, name)? {
                Chosen::One(view) => {
                    deed.check(&view, name)?;
                    return single(self.carry_out(deed, vec![view], &services).await?);
                }
                Chosen::Group(members) => members,
            },
            Whom::Group(group) => members(&services, group)?,
            Whom::All => services.clone(),
        };
        views.retain(|view| deed.fits(view));
        Ok(results(self.carry_out(deed, views, &services).await?))
    }

    async fn carry_out(
        &self,
        deed: Deed<'_>,
        views: Vec<ServiceView>,
        services: &[ServiceView],
    ) -> Result<Vec<Outcome>, Fault> {
        match deed {
            Deed::Start(ask) => self.start(views, services, ask).await,
            Deed::Stop(ask) => self.stop(views, services, ask).await,
            Deed::Signal(word) => {
                let mut outcomes = Vec::new();
                for view in views {
                    let result = match signal(word) {
                        Ok(signal) => self.signal(&view, signal).await,
                        Err(fault) => Err(fault),
                    };
                    outcomes.push((view, result));
                }
                Ok(outcomes)
            }
        }
    }

    async fn start(
        &self,
        views: Vec<ServiceView>,
        services: &[ServiceView],
        ask: Ask,
    ) -> Result<Vec<Outcome>, Fault> {
        let named: Vec<String> = views.iter().map(names::name).collect();
        let mut along = self.shared.taken_along(|taken| taken.started(&named));
        along.retain(|id| services.iter().any(|view| names::name(view) == *id));
        if !along.is_empty() {
            self.ask(act(Act::Start, along, Ask::Go)).await?;
        }
        match ask {
            _ if named.is_empty() => Ok(Vec::new()),
            Ask::Wait => settle::start(self, views).await,
            Ask::Go => {
                self.ask(act(Act::Start, named, ask)).await?;
                Ok(views.into_iter().map(|view| (view, Ok(()))).collect())
            }
        }
    }

    async fn stop(
        &self,
        views: Vec<ServiceView>,
        services: &[ServiceView],
        ask: Ask,
    ) -> Result<Vec<Outcome>, Fault> {
        let named: Vec<String> = views.iter().map(names::name).collect();
        if named.is_empty() {
            return Ok(Vec::new());
        }
        let Answer::Done { services: settled, .. } = self.ask(act(Act::Stop, named.clone(), ask)).await?
        else {
            return Err(unexpected());
        };
        let was_wanted = |id: &str| services.iter().any(|view| view.wanted && names::name(view) == id);
        let along = settled.iter().filter(|one| !one.named && was_wanted(&one.id));
        let along: BTreeSet<String> = along.map(|one| one.id.clone()).collect();
        self.shared.taken_along(|taken| taken.stopped(&named, &along));
        let outcome = |view: ServiceView| {
            let stands = settled.iter().find(|one| one.id == names::name(&view));
            let result = stands.map_or(Ok(()), |one| is_stopped(one, ask));
            (view, result)
        };
        Ok(views.into_iter().map(outcome).collect())
    }

    /// To its main process, as supervisor does it.
    async fn signal(&self, view: &ServiceView, signal: Signal) -> Result<(), Fault> {
        let services = vec![names::name(view)];
        self.ask(Request::Signal { signal: signal.number().to_string(), services }).await.map(|_| ())
    }

    pub(crate) async fn shut_down(&self) -> Result<Value, Fault> {
        self.ask(Request::Down { kill: false }).await.map(|_| Value::Flag(true))
    }

    /// What a reading of the files would change: nothing, or more than can be done from here.
    pub(crate) async fn reload(&self) -> Result<Value, Fault> {
        let (_, running) = self.list().await?;
        let shared = std::sync::Arc::clone(&self.shared);
        if blocking(move || Ok(shared.is_unread(&running))).await? {
            let text = "the files differ from what runs; `mainstay up -d` applies them";
            return Err(Fault::new(Code::CantReread, text));
        }
        let none = || Value::List(Vec::new());
        Ok(Value::List(vec![Value::List(vec![none(), none(), none()])]))
    }

    pub(crate) async fn add_group(&self, group: &str) -> Result<Value, Fault> {
        members(&self.services().await?, group)?;
        Err(Fault::new(Code::AlreadyAdded, group))
    }

    pub(crate) async fn remove_group(&self, group: &str) -> Result<Value, Fault> {
        let members = members(&self.services().await?, group)?;
        let is_at_rest =
            |view| matches!(State::of(view), State::Stopped | State::Exited | State::Fatal | State::Unknown);
        if !members.iter().all(is_at_rest) {
            return Err(Fault::new(Code::StillRunning, group));
        }
        let text = "what is in the file stays; take it out of there, then `mainstay up -d`";
        Err(Fault::new(Code::Failed, group).because(text))
    }

    pub(crate) async fn send_input(&self, name: &str) -> Result<Value, Fault> {
        let view = self.process(name).await?;
        if view.pid.is_none() {
            return Err(Fault::new(Code::NotRunning, name));
        }
        Err(Fault::new(Code::NoFile, name).because("standard input is empty"))
    }

    pub(crate) async fn clear(&self, name: &str) -> Result<Value, Fault> {
        self.process(name).await?;
        Err(cannot_clear(&format!("the log of {name}")))
    }

    pub(crate) async fn clear_all(&self) -> Result<Value, Fault> {
        let services = self.services().await?;
        let refused = |view: ServiceView| {
            let fault = cannot_clear(&format!("the log of {}", names::full_name(&view)));
            (view, Err(fault))
        };
        Ok(results(services.into_iter().map(refused).collect()))
    }
}

/// The request to do this.
pub(crate) fn act(act: Act, services: Vec<String>, ask: Ask) -> Request {
    Request::Act { act, services, wait: ask == Ask::Wait, within_ms: None }
}

fn members(services: &[ServiceView], group: &str) -> Result<Vec<ServiceView>, Fault> {
    let members = group_of(services, group);
    if members.is_empty() { Err(Fault::new(Code::BadName, group)) } else { Ok(members) }
}

fn signal(word: &str) -> Result<Signal, Fault> {
    let number = word.parse().ok().and_then(Signal::from_number);
    let signal = number.or_else(|| word.to_ascii_uppercase().parse().ok());
    signal.ok_or_else(|| Fault::new(Code::BadSignal, word))
}

/// Without a wait it need not be done yet.
fn is_stopped(settled: &Settled, ask: Ask) -> Result<(), Fault> {
    match settled.state {
        SettledState::Done => Ok(()),
        SettledState::Pending if ask == Ask::Go => Ok(()),
        SettledState::Failed | SettledState::Pending => {
            Err(Fault::new(Code::Failed, &settled.id).because(&settled.reason.text))
        }
    }
}

/// The answer to a call about one process.
fn single(outcomes: Vec<Outcome>) -> Result<Value, Fault> {
    outcomes.into_iter().find_map(|(_, result)| result.err()).map_or(Ok(Value::Flag(true)), Err)
}

/// The answer to a call about several processes.
fn results(outcomes: Vec<Outcome>) -> Value {
    let result = |(view, result): Outcome| {
        let (status, text) = match result {
            Ok(()) => (Code::Success as i32, "OK".to_owned()),
            Err(fault) => (fault.number(), fault.text()),
        };
        Value::fields([
            ("name", Value::text(names::name(&view))),
            ("group", Value::text(view.name)),
            ("status", Value::Int(status)),
            ("description", Value::text(text)),
        ])
    };
    Value::List(outcomes.into_iter().map(result).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(ids: &[&str]) -> Vec<String> {
        ids.iter().map(|id| (*id).to_owned()).collect()
    }

    #[test]
    fn a_start_brings_back_what_the_stop_took_along() {
        let mut taken = TakenAlong::default();
        taken.stopped(&ids(&["db"]), &ids(&["api", "web"]).into_iter().collect());
        // Somebody wants this one down by name, so it stays down.
        taken.stopped(&ids(&["web"]), &BTreeSet::new());
        assert_eq!(taken.started(&ids(&["db"])), ids(&["api"]));
        assert_eq!(taken.started(&ids(&["db"])), ids(&[]));
        assert!(taken.0.is_empty());
    }

    #[test]
    fn signals_have_names_and_numbers() {
        for good in ["HUP", "SIGHUP", "hup", "1"] {
            assert_eq!(signal(good), Ok(Signal::HUP), "{good}");
        }
        for bad in ["", "WHAT", "0", "99", "-1"] {
            assert_eq!(signal(bad).unwrap_err().code, Code::BadSignal, "{bad}");
        }
    }
}
