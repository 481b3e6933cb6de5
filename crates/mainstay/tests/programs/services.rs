//! One service for each thing that can happen.

use std::{process::Command, thread, time::Instant};

use mainstay::{Check, prelude::*};

#[derive(ServiceConfig)]
struct GreeterConfig {
    /// Time between two greetings.
    #[default("20ms")]
    #[range("1ms", "1h")]
    interval: Duration,
    /// What is said.
    #[default("hello")]
    message: String,
    /// How it is known to others.
    #[secret]
    token: Option<String>,
}

#[service(name = "greeter")]
struct Greeter {
    config: GreeterConfig,
}

impl Blocking for Greeter {
    async fn on_start(&mut self, _ctx: &Context) -> Result {
        info!("begun with {:?}, known: {}", self.config, self.config.token.is_some());
        Ok(())
    }

    async fn run(&mut self, ctx: &Context) -> Result {
        while ctx.sleep(self.config.interval).await {
            info!("{}", self.config.message);
        }
        Ok(())
    }

    async fn on_stop(&mut self, _ctx: &Context) -> Result {
        info!("ended");
        Ok(())
    }
}

/// Asks for changes itself.
#[service(name = "listener")]
struct Listener {
    config: GreeterConfig,
}

impl Blocking for Listener {
    async fn run(&mut self, ctx: &Context) -> Result {
        info!("{}", self.config.message);
        while let Some(config) = ctx.until_stopped(ctx.next_config::<GreeterConfig>()).await {
            self.config = config?;
            info!("{}", self.config.message);
        }
        Ok(())
    }
}

/// Goes on with a new configuration.
#[service(name = "lamp")]
struct Lamp {
    config: GreeterConfig,
}

impl Permanent for Lamp {
    async fn start(&mut self, _ctx: &Context) -> Result {
        info!("lit with {}", self.config.message);
        Ok(())
    }

    async fn stop(&mut self, _ctx: &Context) -> Result {
        info!("out");
        Ok(())
    }

    async fn on_config_changed(&mut self, old: GreeterConfig, _ctx: &Context) -> Result<Reload> {
        info!("{} became {}", old.message, self.config.message);
        Ok(Reload::Live)
    }
}

#[service(name = "once")]
struct Once;

impl SingleShot for Once {
    async fn execute(&mut self, _ctx: &Context) -> Result {
        info!("done");
        Ok(())
    }
}

#[service(name = "flaky")]
#[derive(Default)]
struct Flaky {
    ticks: u32,
}

impl Periodic for Flaky {
    fn interval(&self) -> Duration {
        Duration::from_millis(20)
    }

    async fn tick(&mut self, _ctx: &Context) -> Result {
        self.ticks += 1;
        if self.ticks == 2 {
            fail!("tick {} went wrong", self.ticks);
        }
        info!("tick {}", self.ticks);
        Ok(())
    }
}

#[service(name = "unmade", make = unmade)]
struct Unmade;

fn unmade(_config: mainstay::NoConfig, _ctx: &Context) -> Result<Unmade> {
    let _ = std::fs::read("/nowhere/at/all")
        .map_err(|error| Error::from(error).while_doing("cannot read the key"))?;
    Ok(Unmade)
}

impl SingleShot for Unmade {
    async fn execute(&mut self, _ctx: &Context) -> Result {
        Ok(())
    }
}

#[service(name = "panics")]
struct Panics;

impl Blocking for Panics {
    async fn run(&mut self, _ctx: &Context) -> Result {
        panic!("out of cheese");
    }
}

/// Its task fails, not it.
#[service(name = "employer")]
struct Employer;

impl Permanent for Employer {
    async fn start(&mut self, ctx: &Context) -> Result {
        ctx.spawn("counting", async { fail!("there is nothing to count") });
        Ok(())
    }
}

/// Never lets anybody else run.
#[service(name = "hog", stop_timeout = "100ms")]
struct Hog;

impl Blocking for Hog {
    async fn run(&mut self, _ctx: &Context) -> Result {
        info!("begins");
        loop {
            thread::sleep(Duration::from_secs(1));
        }
    }
}

/// Lets others run, and does not listen.
#[service(name = "deaf", stop_timeout = "100ms")]
struct Deaf;

impl Blocking for Deaf {
    async fn run(&mut self, _ctx: &Context) -> Result {
        info!("begins");
        std::future::pending().await
    }
}

#[service(name = "slow", start_timeout = "100ms")]
struct Slow;

impl Permanent for Slow {
    async fn start(&mut self, _ctx: &Context) -> Result {
        std::future::pending().await
    }
}

/// Ends by itself, soon.
#[service(name = "brief")]
struct Brief;

impl Blocking for Brief {
    async fn run(&mut self, ctx: &Context) -> Result {
        let begun = Instant::now();
        ctx.sleep(Duration::from_millis(1)).await;
        info!("{}", begun.elapsed() < Duration::from_secs(60));
        Ok(())
    }
}

/// Has parts.
#[service(name = "shop")]
struct Shop;

impl Permanent for Shop {
    async fn start(&mut self, ctx: &Context) -> Result {
        let soon = Check { every: Duration::from_millis(5), timeout: Duration::from_millis(50) };
        let asked = std::cell::Cell::new(0);
        ctx.check("database", soon, move || {
            asked.set(asked.get() + 1);
            let count = asked.get();
            async move { if count % 40 > 20 { Err(Error::new("no route to it")) } else { Ok(()) } }
        });
        ctx.check_off_thread("disk", soon, || {
            thread::sleep(Duration::from_secs(3600));
            Ok(())
        });
        ctx.monitor().counter("orders").add(3);
        Ok(())
    }
}
/// Tells what was handed on to it.
#[service(name = "nameplate")]
struct Nameplate;

impl SingleShot for Nameplate {
    async fn execute(&mut self, ctx: &Context) -> Result {
        info!("{} is {}", ctx.id(), ctx.runner_id().unwrap_or("nobody's"));
        for listener in ctx.listeners() {
            info!("{} at {}", listener.name(), listener.tcp()?.local_addr()?);
        }
        let exposed =
            Command::new("sh").args(["-c", "test -e /proc/self/fd/3 && echo yes || echo no"]).output()?;
        info!("handed on further: {}", String::from_utf8_lossy(&exposed.stdout).trim());
        Ok(())
    }
}

/// Leaves children of its children behind, and waits for one of its own.
#[service(name = "orphans")]
struct Orphans;

impl SingleShot for Orphans {
    async fn execute(&mut self, ctx: &Context) -> Result {
        for _ in 0..3 {
            let status = Command::new("sh").args(["-c", "sleep 0.05 & exit 7"]).status()?;
            info!("its own child ended with {:?}", status.code());
        }
        while orphans_of_first()? > 0 {
            ctx.sleep(Duration::from_millis(10)).await;
        }
        info!("nobody is left");
        Ok(())
    }
}

/// Processes whose parent is the first one, dead or alive, but for this one.
fn orphans_of_first() -> Result<usize> {
    let mut count = 0;
    for entry in std::fs::read_dir("/proc")? {
        let Ok(stat) = std::fs::read_to_string(entry?.path().join("stat")) else { continue };
        let Some((head, rest)) = stat.rsplit_once(')') else { continue };
        let is_own = head.split(' ').next() == Some(&std::process::id().to_string());
        count += usize::from(!is_own && rest.split(' ').nth(2) == Some("1"));
    }
    Ok(count)
}
