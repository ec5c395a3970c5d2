//! How many are connected, and whose they are.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::limits::Limits;
use crate::exit::Exit;
use crate::failure::Failure;

/// The places for connections.
#[derive(Debug, Clone, Default)]
pub struct Seats {
    taken: Arc<Mutex<HashMap<u32, usize>>>,
}

/// A place; dropped, it is free again.
#[derive(Debug)]
pub struct Seat {
    seats: Seats,
    uid: u32,
}

impl Seats {
    /// Takes a place for an account.
    ///
    /// # Errors
    /// When all are taken, or this account has as many as one may have.
    pub fn take(&self, uid: u32, limits: &Limits) -> Result<Seat, Failure> {
        let full =
            |what: String| Failure::new(Exit::NotNow, what).hint("close a connection, or come back when one is closed");
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if taken.values().sum::<usize>() >= limits.connections {
            return Err(full(format!("{} connections are open, and there are no more", limits.connections)));
        }
        let own = taken.entry(uid).or_default();
        if uid != 0 && *own >= limits.of_one_account {
            return Err(full(format!("{} connections of your account are open, and it may have no more", *own)));
        }
        *own += 1;
        Ok(Seat { seats: self.clone(), uid })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.seats.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = taken.get_mut(&self.uid) {
            *own = own.saturating_sub(1);
            if *own == 0 {
                taken.remove(&self.uid);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_account_cannot_take_them_all_and_a_place_becomes_free() {
        let (seats, limits) = (Seats::default(), Limits { connections: 4, of_one_account: 2, ..Limits::default() });
        let mut held: Vec<Seat> = (0..2).map(|_| seats.take(1000, &limits).unwrap()).collect();
        assert!(seats.take(1000, &limits).unwrap_err().message.starts_with("2 connections of your account"));
        // Root is no account among others.
        held.push(seats.take(0, &limits).unwrap());
        held.push(seats.take(0, &limits).unwrap());
        assert!(seats.take(0, &limits).unwrap_err().message.starts_with("4 connections are open"));
        held.remove(0);
        seats.take(1000, &limits).unwrap();
    }
}
