//! A view without a terminal: services made up, keys pressed by name, and the screen as text.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::panic,
    reason = "each test file uses its own part, and a test may panic"
)]

use jiff::Timestamp;
use mainstay_top::{Effect, Input, Key, Model, Mouse, MouseAct, Own, Paint, WrittenLine, draw};
use mainstay_wire::{ConfigView, EventView, ServiceView, Settled, SettledState};
use ratatui_core::{backend::TestBackend, buffer::Buffer, style::Modifier, terminal::Terminal};
use serde_json::json;

/// A view, and what it wanted done.
pub struct Stage {
    pub model: Model,
    pub effects: Vec<Effect>,
    width: u16,
    height: u16,
}

pub fn now() -> Timestamp {
    "2026-11-21T12:00:00Z".parse().unwrap()
}

impl Stage {
    pub fn new(width: u16, height: u16, services: Vec<ServiceView>) -> Self {
        Self::painted(width, height, services, Paint::Plain)
    }

    pub fn painted(width: u16, height: u16, services: Vec<ServiceView>, paint: Paint) -> Self {
        let model = Model::new(width, height, now(), paint);
        let mut stage = Self { model, effects: Vec::new(), width, height };
        stage.services(services);
        let up_since = "2026-11-21T09:55:00Z".parse().ok();
        stage.on(Input::Own(Own { cpu_percent: Some(0.2), memory_bytes: 9_500_000, up_since }));
        stage
    }

    pub fn on(&mut self, input: Input) {
        self.effects.extend(self.model.on(input));
    }

    pub fn services(&mut self, services: Vec<ServiceView>) {
        let config = ConfigView { project: "shop".to_owned(), ..ConfigView::default() };
        self.on(Input::Overview(services, config));
    }

    pub fn changed(&mut self, service: ServiceView) {
        let event = EventView { time: String::new(), from: "running".to_owned(), from_status: None, service };
        self.on(Input::Changed(Box::new(event)));
    }

    /// Keys by their names; what is no name is typed.
    pub fn keys(&mut self, keys: &str) -> &mut Self {
        for word in keys.split(' ') {
            match key(word) {
                Some(key) => self.on(Input::Key(key)),
                None => word.chars().for_each(|c| self.on(Input::Key(Key::Char(c)))),
            }
        }
        self
    }

    pub fn mouse(&mut self, column: u16, row: u16, act: MouseAct) {
        self.on(Input::Mouse(Mouse { column, row, act }));
    }

    /// Presses the mouse where this text is.
    #[track_caller]
    pub fn press(&mut self, text: &str) {
        let screen = self.screen();
        let (row, line) = screen
            .lines()
            .enumerate()
            .find(|(_, line)| line.contains(text))
            .unwrap_or_else(|| panic!("no `{text}` in:\n{screen}"));
        let column = line[..line.find(text).unwrap()].chars().count();
        self.mouse(u16::try_from(column).unwrap(), u16::try_from(row).unwrap(), MouseAct::Press);
    }

    pub fn writes(&mut self, service: &str, lines: impl IntoIterator<Item = impl AsRef<[u8]>>) {
        let follow = self.follow_number();
        let line = |text: &[u8]| WrittenLine { service: service.to_owned(), text: text.to_vec() };
        let lines = lines.into_iter().map(|text| line(text.as_ref())).collect();
        self.on(Input::Written { follow, lines });
    }

    pub fn follow_number(&self) -> u64 {
        let numbers = self.effects.iter().filter_map(|effect| match effect {
            Effect::Follow { number, .. } => Some(*number),
            _ => None,
        });
        numbers.max().unwrap_or(0)
    }

    /// What was asked to be followed last.
    pub fn followed(&self) -> Vec<String> {
        let asked = self.effects.iter().rev().find_map(|effect| match effect {
            Effect::Follow { sources, .. } => Some(sources.iter().map(|source| source.id.clone()).collect()),
            _ => None,
        });
        asked.unwrap_or_default()
    }

    /// The acts that were asked for: `stop db,web`.
    pub fn acts(&self) -> Vec<String> {
        let acts = self.effects.iter().filter_map(|effect| match effect {
            Effect::Act { act, services, .. } => {
                Some(format!("{act:?} {}", services.join(",")).to_lowercase())
            }
            _ => None,
        });
        acts.collect()
    }

    pub fn buffer(&mut self) -> Buffer {
        let mut terminal = Terminal::new(TestBackend::new(self.width, self.height)).unwrap();
        terminal.draw(|frame| draw(&mut self.model, frame)).unwrap();
        terminal.backend().buffer().clone()
    }

    pub fn resize(&mut self, width: u16, height: u16) {
        (self.width, self.height) = (width, height);
        self.on(Input::Resized(width, height));
    }

    /// The screen as text, without blanks at the ends of lines.
    pub fn screen(&mut self) -> String {
        let buffer = self.buffer();
        let mut text = String::new();
        for y in 0..buffer.area.height {
            let mut line = String::new();
            let mut skipped = 0;
            for x in 0..buffer.area.width {
                let symbol = buffer[(x, y)].symbol();
                if skipped > 0 {
                    skipped -= 1;
                    continue;
                }
                skipped = unicode_width::UnicodeWidthStr::width(symbol).saturating_sub(1);
                line.push_str(symbol);
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }

    /// The line of the screen that holds this text.
    #[track_caller]
    pub fn line(&mut self, text: &str) -> String {
        let screen = self.screen();
        let line = screen.lines().find(|line| line.contains(text));
        line.unwrap_or_else(|| panic!("no `{text}` in:\n{screen}")).to_owned()
    }

    #[track_caller]
    pub fn shows(&mut self, text: &str) {
        self.line(text);
    }

    #[track_caller]
    pub fn hides(&mut self, text: &str) {
        let screen = self.screen();
        assert!(!screen.contains(text), "`{text}` in:\n{screen}");
    }

    /// The names in the table, in their order; from the row under the headings to the pane.
    pub fn names(&mut self) -> Vec<String> {
        let screen = self.screen();
        let rows = screen.lines().skip(3).take_while(|line| !line.is_empty() && !line.starts_with('─'));
        rows.take(usize::from(self.height) - 5)
            .map(|line| {
                line.trim_start_matches(['*', ' ', '│', '├', '└', '─', '…'])
                    .split(' ')
                    .next()
                    .unwrap_or_default()
                    .to_owned()
            })
            .collect()
    }

    /// The id of the row that stands out.
    pub fn selected(&mut self) -> String {
        let buffer = self.buffer();
        let is_selected = |y: u16| {
            let modifier = buffer[(3, y)].modifier;
            modifier.contains(Modifier::REVERSED) || modifier.contains(Modifier::UNDERLINED)
        };
        let row = (3..self.height - 2).find(|y| is_selected(*y));
        let screen = self.screen();
        let line = row.and_then(|y| screen.lines().nth(usize::from(y))).unwrap_or_default();
        line.trim_start_matches(['*', ' ', '│', '├', '└', '─', '…'])
            .split(' ')
            .next()
            .unwrap_or_default()
            .to_owned()
    }
}

fn key(name: &str) -> Option<Key> {
    Some(match name {
        "Enter" => Key::Enter,
        "Esc" => Key::Escape,
        "Tab" => Key::Tab,
        "Space" => Key::Char(' '),
        "Backspace" => Key::Backspace,
        "Up" => Key::Up,
        "Down" => Key::Down,
        "Left" => Key::Left,
        "Right" => Key::Right,
        "PageUp" => Key::PageUp,
        "PageDown" => Key::PageDown,
        "Home" => Key::Home,
        "End" => Key::End,
        "F1" => Key::Function(1),
        name => return name.strip_prefix("Ctrl-").and_then(|rest| rest.chars().next()).map(Key::Ctrl),
    })
}

/// A service as the daemon tells of it.
pub fn service(id: &str, phase: &str, reason: &str) -> ServiceView {
    let (name, instance) =
        id.split_once('@').map_or((id, None), |(name, number)| (name, Some(number.to_owned())));
    let pid = matches!(phase, "running" | "starting" | "stopping").then_some(4242);
    let status = match phase {
        "running" | "completed" => "ok",
        "starting" | "waiting" => "startup",
        "failed" => "failed",
        _ => "unknown",
    };
    // As the wire has it, so that what is added to it later needs nothing here.
    let view = json!({
        "name": name, "instance": instance, "kind": "permanent", "phase": phase, "status": status,
        "wanted": phase != "stopped", "ready": phase == "running", "pid": pid, "run": 1, "restarts": 0,
        "since": "2026-11-21T11:54:40Z", "exit": null, "reason": { "code": "some-code", "text": reason }, "next": null,
        "memory_bytes": pid.map(|_| 12_900_000), "cpu_percent": pid.map(|_| 1.5), "depends_on": [], "needed_by": [],
        "command": ["./it"], "log_dir": format!("/srv/shop/.mainstay/logs/{id}"),
    });
    serde_json::from_value(view).unwrap()
}

/// Says who needs whom, on both sides.
pub fn connect(services: &mut [ServiceView], dependent: &str, on: &str) {
    let id = |view: &ServiceView| match &view.instance {
        None => view.name.clone(),
        Some(number) => format!("{}@{number}", view.name),
    };
    for view in services.iter_mut() {
        if id(view) == dependent {
            view.depends_on.push(format!("{on} (ready)"));
        } else if view.name == on {
            view.needed_by.push(dependent.to_owned());
        }
    }
}

/// Ten services as a shop has them.
pub fn shop() -> Vec<ServiceView> {
    let mut services = vec![
        service("db", "running", "ready: tcp 127.0.0.1:5432"),
        service("cache", "running", "ready: tcp 127.0.0.1:6379"),
        service("migrate", "completed", "completed with exit 0"),
        service("api@1", "running", "ready: http://127.0.0.1:8081/healthz"),
        service("api@2", "waiting", "exited with 1; restart 3 of 10 in 12 s"),
        service("web", "running", "its process runs"),
        service("worker", "starting", "waiting for tcp 127.0.0.1:5672 refused for 3 s"),
        service("mailer", "failed", "gave up after 10 restarts: exited with 1"),
        service("nightly", "stopped", "nobody has started it"),
        service("metrics", "stopping", "stopped on request; sent TERM, kill follows in 8 s"),
    ];
    services[0].memory_bytes = Some(420 << 20);
    services[0].cpu_percent = Some(12.25);
    services[0].since = Some("2026-11-19T09:00:00Z".to_owned());
    services[1].cpu_percent = Some(0.0);
    services[4].restarts = 2;
    services[4].next = Some("2026-11-21T12:00:12Z".to_owned());
    services[4].cpu_percent = None;
    services[5].since = Some("2026-11-21T09:55:00Z".to_owned());
    services[7].restarts = 10;
    for (dependent, on) in [
        ("migrate", "db"),
        ("api@1", "migrate"),
        ("api@1", "cache"),
        ("api@2", "migrate"),
        ("api@2", "cache"),
        ("web", "api"),
        ("worker", "db"),
        ("mailer", "worker"),
    ] {
        connect(&mut services, dependent, on);
    }
    services
}

/// A thousand services, some of which are not well.
pub fn thousand() -> Vec<ServiceView> {
    let mut services = Vec::new();
    for number in 1..=1000_u32 {
        let (phase, reason) = match number % 50 {
            7 => ("failed", "gave up after 10 restarts: ended by signal SEGV"),
            13 => ("waiting", "exited with 1; restart 1 of 10 in 2 s"),
            _ => ("running", "its process runs"),
        };
        let mut service = service(&format!("worker@{number}"), phase, reason);
        service.memory_bytes = service.pid.map(|_| u64::from(number) << 16);
        service.cpu_percent = service.pid.map(|_| f64::from(number % 97) / 10.0);
        services.push(service);
    }
    services
}

/// How a service stands after an act.
pub fn settled(id: &str, named: bool, state: SettledState, phase: &str) -> Settled {
    let reason = json!({ "code": "some-code", "text": "exited with 1" });
    let settled = json!({ "id": id, "named": named, "state": state, "phase": phase, "reason": reason });
    serde_json::from_value(settled).unwrap()
}

/// The latest act comes to this end.
pub fn end_act(stage: &mut Stage, outcome: Result<Vec<Settled>, String>) {
    let number = stage.effects.iter().rev().find_map(|effect| match effect {
        Effect::Act { number, .. } => Some(*number),
        _ => None,
    });
    stage.on(Input::Acted { number: number.unwrap(), outcome });
}
