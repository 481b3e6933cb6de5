//! A TCP service: whatever a connection sends comes back. It tells how it is, and how many are connected:
//!
//! ```console
//! $ cargo run -- --listen 127.0.0.1:7007
//! $ mainstay call echo connections
//! ```

use std::{net::SocketAddr, sync::Arc};

use mainstay::{Check, prelude::*};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::timeout,
};

/// What is read before it is sent back, in bytes.
const PIECE: usize = 4096;

/// The pause after a connection could not be accepted: when files have run out, trying again at once helps nobody.
const PAUSE: Duration = Duration::from_secs(1);

#[derive(ServiceConfig)]
struct EchoConfig {
    /// The address and port on which it listens.
    #[default("127.0.0.1:7007")]
    listen: SocketAddr,
    /// Most connections at once. Further ones wait until one has ended.
    #[default(64)]
    #[range(1, 10000)]
    connections: usize,
    /// How long a connection may be silent, or not read, before it is closed.
    #[default("5m")]
    idle: Duration,
}

#[service]
struct Echo {
    config: EchoConfig,
    /// One for each further connection that may be; made at the start.
    seats: Option<Arc<Semaphore>>,
}

impl Permanent for Echo {
    async fn start(&mut self, ctx: &Context) -> Result {
        let listener = TcpListener::bind(self.config.listen).await.map_err(|error| {
            Error::from(error).while_doing(format!("cannot listen on {}", self.config.listen))
        })?;
        info!("listening on {}", listener.local_addr()?);
        let seats = Arc::new(Semaphore::new(self.config.connections));
        self.seats = Some(Arc::clone(&seats));
        ctx.spawn("accept", accept(ctx.clone(), listener, Arc::clone(&seats), self.config.idle));
        let limit = self.config.connections;
        ctx.check("room", Check::default(), move || {
            let free = seats.available_permits();
            async move {
                if free == 0 {
                    fail!("all of {limit} connections are taken: the next ones wait");
                }
                Ok(())
            }
        });
        Ok(())
    }
}

#[calls]
impl Echo {
    /// How many are connected now.
    #[call(reads)]
    fn connections(&self) -> Result<usize> {
        Ok(self.seats.as_ref().map_or(0, |seats| self.config.connections - seats.available_permits()))
    }
}

/// Lets in as many as there are seats.
async fn accept(ctx: Context, listener: TcpListener, seats: Arc<Semaphore>, idle: Duration) -> Result {
    let part = ctx.monitor().child("listener");
    let accepted = part.counter("accepted");
    loop {
        // Nobody else takes seats: one that is free stays so until somebody comes.
        let next = async {
            drop(seats.acquire().await);
            listener.accept().await
        };
        match ctx.until_stopped(next).await {
            None => return Ok(()),
            Some(Ok((stream, peer))) => {
                let seat = Arc::clone(&seats).try_acquire_owned()?;
                part.set(Status::Ok, "");
                accepted.add(1);
                let it = ctx.clone();
                ctx.spawn("connection", async move {
                    // What goes wrong with one connection is no failure of the service.
                    if let Some(Err(error)) = it.until_stopped(echo(stream, idle)).await {
                        debug!("{peer}: {error}");
                    }
                    drop(seat);
                    Ok(())
                });
            }
            Some(Err(error)) => {
                part.set(Status::Warning, format!("cannot accept a connection: {error}"));
                ctx.sleep(PAUSE).await;
            }
        }
    }
}

/// Sends back what comes, until nothing more does.
async fn echo(mut stream: TcpStream, idle: Duration) -> Result {
    let mut piece = [0; PIECE];
    loop {
        let length = timeout(idle, stream.read(&mut piece)).await??;
        if length == 0 {
            return Ok(());
        }
        timeout(idle, stream.write_all(&piece[..length])).await??;
    }
}

mainstay::main!();
