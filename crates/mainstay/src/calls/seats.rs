//! The bound on connections: who is connected, and who makes room for the next. It knows no byte of what is said on them.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    rc::Rc,
    time::Instant,
};

use tokio::sync::Notify;

/// Everybody who is connected.
#[derive(Debug, Default)]
pub(super) struct Seats {
    next: Cell<u64>,
    taken: RefCell<BTreeMap<u64, Rc<State>>>,
    left: Notify,
}

/// What a connection does.
#[derive(Debug)]
struct State {
    /// How much is under way: requests, and a subscription.
    busy: Cell<usize>,
    since: Cell<Instant>,
    leave: Notify,
}

/// A connection's own end of its seat: idle at first, and free again when this is dropped.
#[derive(Debug)]
pub(super) struct Seat {
    seats: Rc<Seats>,
    number: u64,
    state: Rc<State>,
}

/// Something is under way while this lives.
#[derive(Debug)]
pub(super) struct Busy(Rc<State>);

impl Seats {
    /// A seat for one more, if need be that of one who has been idle for longest; `None` when all are busy.
    pub(super) fn seat(self: &Rc<Self>, limit: usize) -> Option<Seat> {
        let mut taken = self.taken.borrow_mut();
        if taken.len() >= limit {
            let idle = taken.iter().filter(|(_, state)| state.busy.get() == 0);
            let (number, state) = idle.min_by_key(|(_, state)| state.since.get())?;
            let number = *number;
            state.leave.notify_one();
            taken.remove(&number);
        }
        let number = self.next.get();
        self.next.set(number + 1);
        let state =
            Rc::new(State { busy: Cell::new(0), since: Cell::new(Instant::now()), leave: Notify::new() });
        taken.insert(number, Rc::clone(&state));
        Some(Seat { seats: Rc::clone(self), number, state })
    }

    /// Returns when nobody is connected.
    pub(super) async fn empty(&self) {
        while self.count() > 0 {
            self.left.notified().await;
        }
    }

    pub(super) fn count(&self) -> usize {
        self.taken.borrow().len()
    }
}

impl Seat {
    /// Something is begun.
    pub(super) fn busy(&self) -> Busy {
        self.state.busy.set(self.state.busy.get() + 1);
        Busy(Rc::clone(&self.state))
    }

    /// Returns when it is to make room.
    pub(super) async fn asked_to_leave(&self) {
        self.state.leave.notified().await;
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.seats.taken.borrow_mut().remove(&self.number);
        self.seats.left.notify_one();
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.busy.set(self.0.busy.get().saturating_sub(1));
        self.0.since.set(Instant::now());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_idle_makes_room_and_who_is_busy_does_not() {
        let seats = Rc::new(Seats::default());
        let (first, second) = (seats.seat(2).unwrap(), seats.seat(2).unwrap());
        let busy = first.busy();
        let third = seats.seat(2).unwrap();
        assert_eq!(seats.count(), 2);
        drop(second);
        assert_eq!(seats.count(), 2, "its seat was given away already");
        let also_busy = third.busy();
        assert!(seats.seat(2).is_none());
        drop((busy, also_busy));
        assert!(seats.seat(2).is_some());
    }
}
