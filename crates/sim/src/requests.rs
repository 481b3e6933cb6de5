//! What people ask of a daemon in a storm. As a daemon does, it writes down what is wanted before it acts.

use mainstay_decide::Service;
use mainstay_model::{Condition, Dependency, HookName, PhaseName, ServiceId, Spec};

use crate::{
    Invariant,
    asked::Request,
    breach::{Checked, breach},
    storm::{Call, Storm},
};

impl Storm {
    /// Somebody asks for something.
    pub(crate) fn ask(&mut self) -> Checked {
        match self.dice.below(100) {
            0..15 => {
                self.blueprint.change(&mut self.dice);
                self.apply()?;
                if self.dice.chance(70) { self.want_all() } else { Ok(()) }
            }
            15..17 => self.apply_nonsense(),
            17 => self.flurry(),
            18..30 => self.request(Request::Want),
            30..47 => self.request(Request::Start),
            47..58 => self.request(Request::Stop),
            58..67 => self.request(Request::Restart),
            67..71 => self.request(Request::Kill),
            71..78 => self.request(Request::Pause),
            78..86 => self.request(Request::Resume),
            86..91 => self.request(Request::Reload),
            91..94 => self.request(Request::Reset),
            _ => self.request(Request::Roll),
        }
    }

    /// Somebody who cannot make up their mind.
    fn flurry(&mut self) -> Checked {
        let ids: Vec<ServiceId> = self.runner.project().ids().cloned().collect();
        for request in [Request::Reload, Request::Pause, Request::Resume, Request::Reload] {
            self.carry_out(request, &ids)?;
        }
        Ok(())
    }

    /// `up`: everything is wanted.
    pub(crate) fn want_all(&mut self) -> Checked {
        let ids: Vec<ServiceId> = self.saved.specs.iter().map(|spec| spec.id.clone()).collect();
        self.carry_out(Request::Want, &ids)
    }

    /// The description of now.
    pub(crate) fn apply(&mut self) -> Checked {
        let specs = self.blueprint.specs(&mut self.dice);
        self.coverage.see("request", "apply");
        self.note(|| format!("apply {}", names(&specs)));
        self.saved.specs = specs.clone();
        self.saved.wanted.retain(|id| specs.iter().any(|spec| spec.id == *id));
        self.book.describe(self.now, &specs);
        let changes = self.runner.apply(self.now, specs).map_err(|error| Self::refused(&error))?;
        self.after(&changes, &Call::REWIRED)
    }

    /// A description with a circle, or with a dependency that is not there.
    fn apply_nonsense(&mut self) -> Checked {
        let mut specs = self.blueprint.specs(&mut self.dice);
        let Some(spec) = specs.first_mut() else { return Ok(()) };
        let stranger = "nobody".parse().unwrap_or_else(|_| spec.id.name.clone());
        let on = if self.dice.chance(50) { spec.id.name.clone() } else { stranger };
        spec.depends_on.push(Dependency { on, until: Condition::Started, restart: false });
        self.coverage.see("request", "bad apply");
        self.note(|| "apply what cannot be ordered".to_owned());
        match self.runner.apply(self.now, specs) {
            Ok(_) => Err(breach(Invariant::BadDescriptionRefused, "a circle is taken on")),
            Err(_) => self.after(&[], &Call::PLAIN),
        }
    }

    fn request(&mut self, request: Request) -> Checked {
        let mut ids: Vec<ServiceId> = self.runner.project().ids().cloned().collect();
        self.dice.shuffle(&mut ids);
        // All instances of one service at once, more often than not.
        if let (Request::Roll, Some(first)) = (request, ids.first().cloned()) {
            let one = self.dice.chance(70);
            ids.retain(|id| !one || id.name == first.name);
            return self.carry_out(request, &ids);
        }
        let most = ids.len();
        ids.truncate(match self.dice.below(20) {
            0..12 => 1,
            12..17 => 2,
            17..19 => most,
            _ => 0,
        });
        self.carry_out(request, &ids)
    }

    fn carry_out(&mut self, request: Request, ids: &[ServiceId]) -> Checked {
        let now = self.now;
        self.coverage.see("request", request.name());
        self.note(|| {
            let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
            format!("{} {}", request.name(), ids.join(" "))
        });
        let edges = self.book.restart_edges();
        let is_failed = |service: &Service| service.phase().name() == PhaseName::Failed;
        let project = self.runner.project();
        let failed = ids.iter().filter(|id| project.service(id).is_some_and(is_failed)).cloned().collect();
        // Whose turn comes first is not what was said first.
        let ranked: Vec<ServiceId> = project.ids().filter(|id| ids.contains(id)).cloned().collect();
        self.book.request(now, request, &ranked, &failed);
        let wanted = self.book.records.iter().filter(|(_, record)| record.wanted);
        self.saved.wanted = wanted.map(|(id, _)| id.clone()).collect();
        let changes = match request {
            Request::Want => self.runner.want(now, ids),
            Request::Start => self.runner.start(now, ids),
            Request::Stop => self.runner.stop(now, ids),
            Request::Restart => self.runner.restart(now, ids),
            Request::Kill => self.runner.kill(now, ids),
            Request::Roll => self.runner.roll(now, ids),
            Request::Pause => self.runner.pause(now, ids),
            Request::Resume => self.runner.resume(now, ids),
            Request::Reload => self.runner.reload(now, ids),
            Request::Reset => self.runner.reset(now, ids),
        };
        self.after(&changes, &Call::PLAIN)?;
        self.book.check_lost(&edges)
    }
}

/// The ids, with what is worth knowing of each.
fn names(specs: &[Spec]) -> String {
    let one = |spec: &Spec| {
        let needs: Vec<String> = spec
            .depends_on
            .iter()
            .map(|need| format!("{}:{}{}", need.on, need.until.as_str(), if need.restart { "!" } else { "" }))
            .collect();
        let ready = spec.ready.as_ref().map(|ready| format!(" {} in {:?}", ready.check, ready.timeout));
        let restart = &spec.restart;
        let care = care(spec);
        format!(
            "\n        {} {}{} [{}] {} {:?}×{} max {:?} {:?} reset {:?} stop {} {:?} rerun {}{care}",
            spec.id,
            spec.kind,
            ready.unwrap_or_default(),
            needs.join(" "),
            restart.when.as_str(),
            restart.delay,
            restart.factor_milli,
            restart.max_delay,
            restart.attempts,
            restart.reset_after,
            spec.stop.signal,
            spec.stop.timeout,
            spec.rerun_unknown
        )
    };
    specs.iter().map(one).collect()
}

/// How it is looked after.
fn care(spec: &Spec) -> String {
    let health = spec.health.as_ref().map(|health| {
        format!(" health {:?} {} start {:?}", health.interval, health.failures, health.start_period)
    });
    let watchdog = spec.watchdog.map(|limit| format!(" watchdog {limit:?}"));
    let hook = |name: HookName| spec.hook(name).map(|hook| format!(" {name} {:?}", hook.timeout));
    let hooks: String = HookName::ALL.into_iter().filter_map(hook).collect();
    let rolling = if spec.rolling { " rolling" } else { "" };
    format!("{}{}{hooks}{rolling}", health.unwrap_or_default(), watchdog.unwrap_or_default())
}
