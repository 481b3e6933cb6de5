//! A panic is an error with its message: it is caught where a service's code is called.

use std::{
    any::Any,
    cell::RefCell,
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    task::Poll,
};

use crate::{Error, Result};

thread_local! {
    /// Where this thread's latest panic was.
    static PLACE: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// From now on panics are not printed, but remembered for who catches them. Those of threads that nobody guards are logged.
pub(crate) fn install_hook() {
    std::panic::set_hook(Box::new(|info| {
        let place = info.location().map(|place| format!("{}:{}", place.file(), place.line()));
        let name = std::thread::current().name().unwrap_or("a thread").to_owned();
        if name != "main" {
            tracing::error!("{name} panicked: {}{}", words(info.payload()), at(place.as_deref()));
        }
        PLACE.with_borrow_mut(|last| *last = place);
    }));
}

/// Runs it; a panic in it is an error.
pub(crate) fn guarded_call<T>(act: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(act)).unwrap_or_else(|payload| Err(error_of(payload.as_ref())))
}

/// The same future; a panic in it is an error.
pub(crate) async fn guarded<T>(act: impl Future<Output = Result<T>>) -> Result<T> {
    let mut act = std::pin::pin!(act);
    std::future::poll_fn(move |task| {
        let act: Pin<&mut _> = act.as_mut();
        catch_unwind(AssertUnwindSafe(|| act.poll(task)))
            .unwrap_or_else(|payload| Poll::Ready(Err(error_of(payload.as_ref()))))
    })
    .await
}

fn error_of(payload: &(dyn Any + Send)) -> Error {
    let place = PLACE.with_borrow_mut(Option::take);
    Error::new(format!("panicked: {}{}", words(payload), at(place.as_deref())))
}

fn at(place: Option<&str>) -> String {
    place.map_or_else(String::new, |place| format!(" (at {place})"))
}

fn words(payload: &(dyn Any + Send)) -> &str {
    let text = payload.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| payload.downcast_ref::<&str>().copied()).unwrap_or("without a message")
}
