//! The pump's thread, and the handle by which the supervising thread tells it what to do.

use std::{
    collections::{BTreeMap, VecDeque},
    fs::File,
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    thread::{Builder, JoinHandle},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use mainstay_host::{Interest, Poller, Waker, monotonic_nanos};
use mainstay_wire::LogFile;

use super::{
    aside::Aside,
    batch::{Batch, FILE, is_settled},
    budget::Budget,
    compressor::Compressor,
    counts::News,
    folder::Folder,
    place::{NotPlaced, place, progress},
    stream::{Begins, Stream, Tools, set_aside},
};
use crate::report::say;

/// Bytes of the thread's stack.
const STACK_BYTES: usize = 128 * 1024;

/// The token of the waker; those of streams begin after it.
const WAKER: u64 = 0;

/// What the pump is told.
#[derive(Debug)]
enum Order {
    /// There is such a slot, and its logs go there.
    Know { slot: String, log: LogFile },
    /// Read from this pipe of this run.
    Attach { slot: String, run: u64, begins: Begins, pipe: File },
    /// Write what is in the pipe, let it go, and say so.
    Drain { slot: String, run: u64 },
    /// There is no such slot any more.
    Forget { slot: String },
    /// Say what became of output.
    Count(Of),
    /// End.
    Stop,
}

/// The output of a run is written, or waits for its log file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Drained {
    pub(crate) slot: String,
    pub(crate) run: u64,
}

/// Whose counts are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Of {
    All,
    /// Those whose logs take nothing.
    Troubled,
}

/// What became of output.
#[derive(Debug, Default)]
pub(crate) struct Counted {
    pub(crate) counts: News,
    /// Whether these are all slots, as somebody asked.
    pub(crate) is_complete: bool,
}

#[derive(Debug)]
struct Desk {
    orders: Mutex<VecDeque<Order>>,
    to_pump: Waker,
    drained: Mutex<Vec<Drained>>,
    counted: Mutex<Counted>,
    to_supervisor: Arc<Waker>,
}

/// Pipes by the names of their streams.
pub(crate) type Pipes = Vec<(String, File)>;

/// The handle.
#[derive(Debug)]
pub(crate) struct Pump {
    desk: Arc<Desk>,
    thread: Option<JoinHandle<Pipes>>,
    dir: PathBuf,
}

impl Pump {
    /// Finishes what a keeper before us left in the buffer, then begins. `dir` is where the buffer is, `exe` this program.
    pub(crate) fn start(dir: &Path, exe: &Path, waker: Arc<Waker>) -> io::Result<Self> {
        let mut batch = Batch::open(dir)?;
        if !batch.is_locked() {
            say("the log buffer could not be locked into memory; with swap in use, a kill can double output");
        }
        let aside = Aside::new(dir);
        aside.remove_unfinished();
        recover(&mut batch, &aside);
        let desk = Arc::new(Desk {
            orders: Mutex::default(),
            to_pump: Waker::new()?,
            drained: Mutex::default(),
            counted: Mutex::default(),
            to_supervisor: waker,
        });
        let poller = Poller::new()?;
        poller.add(&desk.to_pump, WAKER, Interest::Read)?;
        let own = Arc::clone(&desk);
        let compressor = Compressor::new(exe);
        let thread = Builder::new().name("pump".to_owned()).stack_size(STACK_BYTES).spawn(move || {
            let mut room = Room {
                batch,
                aside,
                desk: own,
                streams: BTreeMap::new(),
                tokens: BTreeMap::new(),
                next: 1,
                budget: Budget::default(),
                compressor,
            };
            room.work(&poller);
            room.compressor.stop();
            room.into_pipes()
        })?;
        Ok(Self { desk, thread: Some(thread), dir: dir.to_owned() })
    }

    pub(crate) fn know(&self, slot: &str, log: &LogFile) {
        self.order(Order::Know { slot: slot.to_owned(), log: log.clone() });
    }

    pub(crate) fn attach(&self, slot: &str, run: u64, begins: Begins, pipe: File) {
        self.order(Order::Attach { slot: slot.to_owned(), run, begins, pipe });
    }

    /// Asks for counts. A pump that hangs over a disk is not asked for all twice.
    pub(crate) fn count(&self, of: Of) {
        let mut orders = self.desk.orders.lock().unwrap_or_else(PoisonError::into_inner);
        let is_asked = orders.iter().any(|order| matches!(order, Order::Count(Of::All)));
        if !is_asked {
            orders.push_back(Order::Count(of));
        }
        drop(orders);
        self.desk.to_pump.wake();
    }

    /// The counts that came since the last question; none is no news.
    pub(crate) fn counted(&self) -> Option<Counted> {
        let counted = std::mem::take(&mut *self.desk.counted.lock().unwrap_or_else(PoisonError::into_inner));
        (counted.is_complete || !counted.counts.is_empty()).then_some(counted)
    }

    pub(crate) fn drain(&self, slot: &str, run: u64) {
        self.order(Order::Drain { slot: slot.to_owned(), run });
    }

    pub(crate) fn forget(&self, slot: &str) {
        self.order(Order::Forget { slot: slot.to_owned() });
    }

    fn order(&self, order: Order) {
        self.desk.orders.lock().unwrap_or_else(PoisonError::into_inner).push_back(order);
        self.desk.to_pump.wake();
    }

    /// What was drained since the last question.
    pub(crate) fn drained(&self) -> Vec<Drained> {
        std::mem::take(&mut self.desk.drained.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Ends the thread after all orders before this one. What waits in pipes and aside is the next keeper's; the pipes of which
    /// something may still be read.
    pub(crate) fn rest(&mut self) -> Pipes {
        self.order(Order::Stop);
        self.thread.take().and_then(|thread| thread.join().ok()).unwrap_or_default()
    }

    /// The same for good; the buffer's file goes with it. Says what could not be written.
    pub(crate) fn stop(&mut self) {
        self.rest();
        let aside = Aside::new(&self.dir);
        for slot in aside.slots() {
            let count = aside.get(&slot).map_or(0, |waiting| waiting.bytes.len());
            say(format_args!(
                "{count} bytes of the output of `{slot}` are lost: its log could not be written"
            ));
            aside.remove(&slot);
        }
        let _ = std::fs::remove_file(self.dir.join(FILE));
    }
}

/// A batch that a keeper before us did not finish is finished first, before anything is read.
fn recover(batch: &mut Batch, aside: &Aside) {
    let Some(left) = batch.left() else { return };
    let waiting = aside.get(&left.to.slot).map(|waiting| waiting.sequence);
    if is_settled(left.count, left.sequence, waiting) {
        return batch.end_whole();
    }
    let mut folder = Folder::new(&left.to.dir);
    let placed = match progress(&left, &mut folder) {
        Ok((from, number)) => place(batch, &mut folder, &left.to, from, left.count, number).map(|_| ()),
        Err(error) => Err(NotPlaced { from: 0, error }),
    };
    if let Err(NotPlaced { from, error }) = placed {
        say(format_args!("cannot write to the log of `{}`, its output waits: {error}", left.to.slot));
        set_aside(batch, aside, &left.to.slot, left.sequence, from, left.count);
    }
    batch.end_whole();
}

enum Next {
    GoOn,
    Stop,
}

struct Room {
    batch: Batch,
    aside: Aside,
    desk: Arc<Desk>,
    streams: BTreeMap<u64, Stream>,
    tokens: BTreeMap<String, u64>,
    next: u64,
    budget: Budget,
    compressor: Compressor,
}

impl Room {
    fn work(&mut self, poller: &Poller) {
        loop {
            let wake_at = self.streams.values().filter_map(Stream::wake_at).min();
            let patience =
                wake_at.map(|moment| Duration::from_nanos(moment.saturating_sub(monotonic_nanos())));
            let ready = match poller.wait(patience) {
                Ok(ready) => ready,
                Err(error) => return say(format_args!("the pump ended: {error}")),
            };
            for event in ready {
                match event.token {
                    WAKER => self.desk.to_pump.clear(),
                    token => self.with_stream(token, poller, Stream::on_ready),
                }
            }
            if matches!(self.take_orders(poller), Next::Stop) {
                return;
            }
            if wake_at.is_some_and(|moment| moment <= monotonic_nanos()) {
                let tokens: Vec<u64> = self.streams.keys().copied().collect();
                for token in tokens {
                    self.with_stream(token, poller, Stream::on_time);
                }
            }
        }
    }

    fn with_stream<R: Default>(
        &mut self,
        token: u64,
        poller: &Poller,
        act: impl FnOnce(&mut Stream, &mut Tools<'_>) -> R,
    ) -> R {
        let Some(stream) = self.streams.get_mut(&token) else { return R::default() };
        let mut news = News::new();
        let done = act(
            stream,
            &mut Tools {
                batch: &mut self.batch,
                aside: &self.aside,
                poller,
                now: monotonic_nanos(),
                wall: SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default(),
                budget: &mut self.budget,
                compressor: &mut self.compressor,
                news: &mut news,
            },
        );
        if !news.is_empty() {
            self.tell(news, false);
        }
        done
    }

    fn tell(&self, news: News, is_complete: bool) {
        let mut counted = self.desk.counted.lock().unwrap_or_else(PoisonError::into_inner);
        counted.counts.extend(news);
        counted.is_complete |= is_complete;
        self.desk.to_supervisor.wake();
    }

    fn take_orders(&mut self, poller: &Poller) -> Next {
        loop {
            let order = self.desk.orders.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
            match order {
                None => return Next::GoOn,
                Some(Order::Stop) => return Next::Stop,
                Some(order) => self.carry_out(order, poller),
            }
        }
    }

    fn carry_out(&mut self, order: Order, poller: &Poller) {
        match order {
            Order::Know { slot, log } => self.know(slot, &log, poller),
            Order::Attach { slot, run, begins, pipe } => {
                let token = self.token(&slot);
                self.with_stream(token, poller, |stream, tools| stream.attach(pipe, run, begins, tools));
            }
            Order::Drain { slot, run } => self.drain(slot, run, poller),
            Order::Forget { slot } => {
                let token = self.token(&slot);
                self.with_stream(token, poller, |stream, tools| stream.detach(tools.poller));
                self.streams.remove(&token);
                self.tokens.remove(&slot);
                self.aside.remove(&slot);
            }
            Order::Count(of) => {
                let all = self.streams.values().map(|stream| (&stream.slot, stream.counts().get()));
                let wanted = all.filter(|(_, counts)| of == Of::All || counts.trouble.is_some());
                let counts = wanted.map(|(slot, counts)| (slot.clone(), counts.clone())).collect();
                self.tell(counts, of == Of::All);
            }
            Order::Stop => {}
        }
    }

    fn know(&mut self, slot: String, log: &LogFile, poller: &Poller) {
        if let Some(stream) = self.tokens.get(&slot).and_then(|token| self.streams.get_mut(token)) {
            return stream.relog(log, poller);
        }
        let mut stream = Stream::new(slot.clone(), self.next, log);
        if self.aside.get(&slot).is_some() {
            stream.has_waiting(monotonic_nanos());
        }
        self.streams.insert(self.next, stream);
        self.tokens.insert(slot, self.next);
        self.next += 1;
    }

    fn into_pipes(self) -> Pipes {
        self.streams.into_values().filter_map(Stream::into_pipe).collect()
    }

    /// The stream of a slot; 0, which is none, for one that nobody told of.
    fn token(&self, slot: &str) -> u64 {
        self.tokens.get(slot).copied().unwrap_or(0)
    }

    fn drain(&mut self, slot: String, run: u64, poller: &Poller) {
        let token = self.token(&slot);
        self.with_stream(token, poller, |stream, tools| {
            // A pipe whose log file takes nothing is kept, for when it does.
            if stream.drain(tools) {
                stream.detach(tools.poller);
            }
        });
        self.desk.drained.lock().unwrap_or_else(PoisonError::into_inner).push(Drained { slot, run });
        self.desk.to_supervisor.wake();
    }
}
