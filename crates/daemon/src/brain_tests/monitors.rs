//! What services say of how they feel, with a keeper that the test plays.

use mainstay_wire::{Answer, ErrorCode, MonitorView, Request, WireError, WireExit};

use super::{Stage, exited, spec, started};
use crate::state::Recorded;

fn running() -> Stage {
    let mut stage = Stage::set(Recorded::default(), &[]);
    drop(stage.apply(&[spec("api", "./api")]));
    stage.heard(started("api", 1));
    stage
}

fn tell(stage: &mut Stage, run_id: &str, status: &str) -> Result<Answer, WireError> {
    let monitor = MonitorView { name: "api".to_owned(), status: status.to_owned(), ..MonitorView::default() };
    let request = Request::Monitor { run_id: run_id.to_owned(), monitor };
    stage.ask(request).1.try_recv().unwrap().into_result()
}

fn status(stage: &mut Stage) -> String {
    let Ok(Answer::Services { services, .. }) = stage.ask(Request::List).1.try_recv().unwrap().into_result()
    else {
        panic!()
    };
    services[0].status.clone()
}

#[tokio::test(flavor = "current_thread")]
async fn how_a_service_says_that_it_feels_is_its_status_while_that_run_lives() {
    let mut stage = running();
    assert_eq!(status(&mut stage), "ok");
    assert_eq!(tell(&mut stage, "key.api.1", "degraded"), Ok(Answer::Noted));
    assert_eq!(status(&mut stage), "degraded");
    assert_eq!(tell(&mut stage, "key.api.1", "idle"), Ok(Answer::Noted));
    assert_eq!(status(&mut stage), "idle");
    tell(&mut stage, "key.api.1", "error").unwrap();
    stage.heard(exited("api", 1, WireExit::Code(1)));
    assert_ne!(status(&mut stage), "error");
    stage.heard(started("api", 2));
    assert_eq!(
        tell(&mut stage, "key.api.1", "error").unwrap_err().text,
        "`key.api.1` is no run that is alive"
    );
}

#[tokio::test(flavor = "current_thread")]
async fn what_cannot_be_a_report_is_refused_in_words() {
    let mut stage = running();
    let refused = tell(&mut stage, "key.api.1", "splendid").unwrap_err();
    assert_eq!(
        (refused.code, refused.text.starts_with("`splendid` is no status; it is one of unknown, startup,")),
        (ErrorCode::BadRequest, true)
    );
    for run_id in ["", "key", "key.api", "key.api.x", "key.db.1", "key.api.2", "key.äöü.1"] {
        assert_eq!(tell(&mut stage, run_id, "ok").unwrap_err().code, ErrorCode::Failed, "{run_id}");
    }
    let monitor = MonitorView {
        status: "ok".to_owned(),
        children: vec![MonitorView::default(); 300],
        ..MonitorView::default()
    };
    let request = Request::Monitor { run_id: "key.api.1".to_owned(), monitor };
    let refused = stage.ask(request).1.try_recv().unwrap().into_result().unwrap_err();
    assert!(refused.text.contains("are more than 256"), "{}", refused.text);
    assert_eq!(status(&mut stage), "ok");
}
