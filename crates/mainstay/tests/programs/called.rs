//! Services with methods that can be called.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use mainstay::prelude::*;

#[derive(ServiceConfig)]
struct DeskConfig {
    /// What is said first.
    #[default("Hello")]
    greeting: String,
    /// How often at most.
    #[default(3)]
    #[range(1, 100)]
    most: u32,
    /// Known to few.
    #[secret]
    token: Option<String>,
}

#[derive(serde::Serialize)]
struct Greeting {
    text: String,
    count: u64,
}

/// Has methods of all sorts.
#[service(name = "desk", make = made)]
struct Desk {
    config: DeskConfig,
    count: u64,
}

fn made(config: DeskConfig, _ctx: &Context) -> Result<Desk> {
    Ok(Desk { config, count: 0 })
}

impl Permanent for Desk {
    async fn start(&mut self, _ctx: &Context) -> Result {
        let known = if self.config.token.is_some() { ", known" } else { "" };
        info!("open with {}{known}", self.config.greeting);
        Ok(())
    }
}

#[mainstay::calls]
impl Desk {
    /// Greets somebody.
    /// Several times, if need be.
    #[call]
    async fn greet(&mut self, ctx: &Context, name: String, times: Option<u32>) -> Result<Greeting> {
        let times = times.unwrap_or(1);
        if times > self.config.most {
            fail!("{times} times is too often");
        }
        self.count += 1;
        let mut text = String::new();
        for _ in 0..times {
            text.push_str(&format!("{} {name}! ", self.config.greeting));
            ctx.sleep(Duration::from_millis(1)).await;
        }
        ctx.emit("greeted", &name);
        Ok(Greeting { text: text.trim().to_owned(), count: self.count })
    }

    /// How many were greeted.
    #[call(reads)]
    fn count(&self) -> Result<u64> {
        Ok(self.count)
    }

    #[call]
    async fn panic(&self) -> Result {
        panic!("out of forms");
    }

    /// Never returns.
    #[call]
    async fn hang(_ctx: &Context) -> Result {
        std::future::pending().await
    }

    #[call]
    async fn wait(&self) -> Result {
        std::future::pending().await
    }

    /// A large answer.
    #[call]
    async fn fill(bytes: usize) -> std::result::Result<String, std::io::Error> {
        Ok("x".repeat(bytes))
    }

    /// Tells of so many things at once.
    #[call]
    async fn flood(ctx: &Context, events: usize) -> Result {
        for number in 0..events {
            ctx.emit("drop", &vec![number; 1000]);
        }
        Ok(())
    }
}

/// Its `run` holds it; what both need is shared.
#[service(name = "counter")]
struct Counter;

impl Blocking for Counter {
    async fn on_start(&mut self, ctx: &Context) -> Result {
        ctx.share(Arc::new(AtomicU64::new(40)));
        Ok(())
    }

    async fn run(&mut self, ctx: &Context) -> Result {
        ctx.shared::<AtomicU64>()?.fetch_add(1, Ordering::Relaxed);
        info!("counting");
        ctx.stopped().await;
        Ok(())
    }
}

#[mainstay::calls]
impl Counter {
    #[call]
    async fn next(ctx: &Context) -> Result<u64> {
        Ok(ctx.shared::<AtomicU64>()?.fetch_add(1, Ordering::Relaxed) + 1)
    }
}

#[service(name = "clock")]
#[derive(Default)]
struct Clock {
    ticks: u32,
}

impl Periodic for Clock {
    fn interval(&self) -> Duration {
        Duration::MAX
    }

    async fn tick(&mut self, _ctx: &Context) -> Result {
        self.ticks += 1;
        if self.ticks == 2 {
            fail!("the spring is broken");
        }
        info!("tick {}", self.ticks);
        Ok(())
    }
}

#[mainstay::calls]
impl Clock {
    #[call]
    fn ticks(&self) -> Result<u32> {
        Ok(self.ticks)
    }
}

/// Takes its time over its work, and can be called meanwhile.
#[service(name = "once_called")]
struct OnceCalled;

impl SingleShot for OnceCalled {
    async fn execute(&mut self, ctx: &Context) -> Result {
        ctx.share(Arc::new(Instant::now()));
        info!("begun");
        ctx.stopped().await;
        Ok(())
    }
}

#[mainstay::calls]
impl OnceCalled {
    #[call(reads)]
    async fn begun(ctx: &Context) -> Result<bool> {
        Ok(ctx.shared::<Instant>().is_ok())
    }
}
