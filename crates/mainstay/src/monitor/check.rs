//! Questions that a service asks about its own parts, again and again.

use std::{future::Future, sync::Arc, time::Duration};

use tokio::time::timeout;

use super::Status;
use crate::{Context, Error, Result, panics::guarded};

/// How often a part is asked, and how long the answer may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Check {
    /// From one answer to the next question.
    pub every: Duration,
    /// What takes longer is no answer.
    pub timeout: Duration,
}

impl Default for Check {
    /// Each ten seconds, within two.
    fn default() -> Self {
        Self { every: Duration::from_secs(10), timeout: Duration::from_secs(2) }
    }
}

impl Context {
    /// Asks how a part is as long as the service runs: the part of this name is `ok`, or `error` with what `ask` failed with, or
    /// that it did not answer in time. To be called on the service's own thread.
    ///
    /// ```
    /// # use mainstay::{prelude::*, Check};
    /// # #[service]
    /// # struct Shop;
    /// impl Permanent for Shop {
    ///     async fn start(&mut self, ctx: &Context) -> Result {
    ///         ctx.check("database", Check::default(), async || {
    ///             std::net::TcpStream::connect("127.0.0.1:5432")?;
    ///             Ok(())
    ///         });
    ///         Ok(())
    ///     }
    /// }
    /// # fn main() {}
    /// ```
    pub fn check<F, A>(&self, name: &str, check: Check, ask: F)
    where
        F: Fn() -> A + 'static,
        A: Future<Output = Result> + 'static,
    {
        let (ctx, part) = (self.clone(), self.monitor().child(name));
        self.spawn(name, async move {
            loop {
                let answer = timeout(check.timeout, guarded(ask())).await;
                match answer.unwrap_or_else(|_| Err(late(check.timeout))) {
                    Ok(()) => part.set(Status::Ok, ""),
                    Err(error) => part.set(Status::Error, error.to_string()),
                }
                if !ctx.sleep(check.every).await {
                    return Ok(());
                }
            }
        });
    }

    /// The same for a question that holds up its thread: it is asked on another one. While one is not answered, it is not asked
    /// again.
    pub fn check_off_thread(
        &self,
        name: &str,
        check: Check,
        ask: impl Fn() -> Result + Send + Sync + 'static,
    ) {
        let (ctx, part, ask) = (self.clone(), self.monitor().child(name), Arc::new(ask));
        self.spawn(name, async move {
            loop {
                let asked = Arc::clone(&ask);
                let mut answer = tokio::task::spawn_blocking(move || asked());
                let in_time = match timeout(check.timeout, &mut answer).await {
                    Ok(answer) => Some(answer),
                    Err(_) => {
                        part.set(Status::Error, late(check.timeout).to_string());
                        ctx.until_stopped(answer).await
                    }
                };
                match in_time {
                    None => return Ok(()),
                    Some(Ok(Ok(()))) => part.set(Status::Ok, ""),
                    Some(Ok(Err(error))) => part.set(Status::Error, error.to_string()),
                    Some(Err(error)) => part.set(Status::Error, Error::from(error).to_string()),
                }
                if !ctx.sleep(check.every).await {
                    return Ok(());
                }
            }
        });
    }
}

fn late(limit: Duration) -> Error {
    Error::new(format!("it has not answered within {}", mainstay_config::duration_text(limit)))
}
