use mainstay::prelude::*;

#[derive(ServiceConfig)]
struct HelloWorldConfig {
    #[default("5s")]
    interval: Duration,
    #[default("Hello World!")]
    message: String,
}

#[service]
struct HelloWorld {
    config: HelloWorldConfig,
}

impl Blocking for HelloWorld {
    async fn run(&mut self, ctx: &Context) -> Result {
        while ctx.is_running() {
            info!("{}", self.config.message);
            ctx.sleep(self.config.interval).await;
        }
        Ok(())
    }
}

mainstay::main!();
