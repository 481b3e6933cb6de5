//! All that is known of the selected service.

use jiff::Timestamp;
use ratatui_core::style::Style;

use super::pen::Pen;
use crate::{Model, clean, cut, roster::Service, text};

/// Columns of the labels.
const LABELS: u16 = 12;

/// What is known, as far as it is scrolled to.
pub(super) fn lines(model: &mut Model, pen: &mut Pen<'_>) {
    let area = model.regions().pane;
    let Some(service) = model.selected() else {
        pen.put(1, area.y, area.width, "no service is selected", pen.paint.aside());
        return;
    };
    let width = area.width.saturating_sub(LABELS + 2).max(1);
    let facts = facts(model, service);
    let mut rows: Vec<(&str, &str, Style)> = Vec::new();
    for (label, value, style) in &facts {
        for (place, part) in cut::wrapped(value, usize::from(width)).into_iter().enumerate() {
            rows.push((if place == 0 { label } else { "" }, part, *style));
        }
    }
    let top = model.details_top.min(rows.len().saturating_sub(usize::from(area.height)));
    for (y, (label, value, style)) in (area.y..area.bottom()).zip(rows.iter().skip(top)) {
        pen.put(1, y, LABELS, label, pen.paint.label());
        pen.put(1 + LABELS, y, width, value, *style);
    }
    model.details_top = top;
}

type Fact = (&'static str, String, Style);

fn facts(model: &Model, service: &Service) -> Vec<Fact> {
    let view = &service.view;
    let plain = |label, value: String| (label, value, Style::new());
    let list = |items: &[String]| if items.is_empty() { "nothing".to_owned() } else { items.join(", ") };
    let since = service.age(model.now).map(|age| format!(" for {}", text::span(age))).unwrap_or_default();
    let ready = if view.ready { ", ready" } else { "" };
    let wanted = if view.wanted { "" } else { ", not wanted up" };
    let mut facts = vec![
        ("phase", format!("{}{since}{ready}{wanted}", view.phase), model.paint.phase(&view.phase)),
        plain("reason", format!("{} ({})", view.reason.text, view.reason.code)),
    ];
    if let Some(next) = &view.next {
        facts.push(plain("next", until(next, model.now)));
    }
    facts.push(plain("status", view.status.clone()));
    facts.push(plain("runs", runs(service)));
    facts.push(plain("uses", uses(service)));
    facts.push(plain("command", view.command.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ")));
    facts.push(plain("needs", list(&view.depends_on)));
    facts.push(plain("needed by", list(&view.needed_by)));
    facts.push(plain("kind", view.kind.clone()));
    facts.push(plain("logs", clean::text(&view.log_dir)));
    facts.extend(view.err_log_dir.iter().map(|dir| plain("", clean::text(dir))));
    if view.log_counts.dropped_bytes > 0 {
        let dropped = format!("{} of its output were dropped", text::bytes(view.log_counts.dropped_bytes));
        facts.push(("", dropped, model.paint.error()));
    }
    if let Some(trouble) = &view.log_counts.trouble {
        facts.push(("", trouble.clone(), model.paint.error()));
    }
    facts
}

/// `in 12s (2026-11-21T12:00:12Z)`
fn until(next: &str, now: Timestamp) -> String {
    match next.parse::<Timestamp>() {
        Ok(at) => {
            let left = at.duration_since(now);
            let begun = i64::from(left.subsec_nanos() > 0);
            format!("in {} ({next})", text::span(left.as_secs() + begun))
        }
        Err(_) => next.to_owned(),
    }
}

fn runs(service: &Service) -> String {
    let view = &service.view;
    let mut text = format!("run {}, {} restarts", view.run, view.restarts);
    match view.exit.as_ref().map(|exit| (exit.code, &exit.signal)) {
        None => {}
        Some((Some(code), _)) => text.push_str(&format!("; the last ended with {code}")),
        Some((None, Some(signal))) => {
            text.push_str(&format!("; the last was ended by {}", clean::text(signal)))
        }
        Some((None, None)) => text.push_str("; nobody saw how the last ended"),
    }
    text
}

fn uses(service: &Service) -> String {
    let view = &service.view;
    let Some(pid) = view.pid else { return "nothing: it has no process".to_owned() };
    let cpu =
        view.cpu_percent.map(|share| format!(", {}% of a core", text::percent(share))).unwrap_or_default();
    let memory = view.memory_bytes.map(|count| format!(", {}", text::bytes(count))).unwrap_or_default();
    format!("pid {pid}{cpu}{memory}")
}

/// As a shell would need it to be one word.
fn quoted(word: &str) -> String {
    let is_plain = !word.is_empty() && word.chars().all(|c| c.is_alphanumeric() || "-_./:=@%+,".contains(c));
    if is_plain { word.to_owned() } else { format!("'{}'", word.replace('\'', r"'\''")) }
}
