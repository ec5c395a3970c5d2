//! The disk and those who wait for it.
//!
//! One queue, first come first served: whoever has more requests in it gets more of the disk. A request of a user is some time
//! on a core, then reads and maybe durable writes, one after the other. The backup has one read and a bounded number of writes in the queue.

use std::collections::VecDeque;

use crate::night::Night;
use crate::payload::Payload;
use crate::random::Random;

/// Seconds of a step.
pub const STEP: f64 = 0.01;

/// Seconds of a window of the sensors.
pub const WINDOW: f64 = 0.25;

/// Bytes of one read of a user.
const PAGE: f64 = 8192.0;

/// The weight of the backup on a core, beside one of a user's request.
const LOW_WEIGHT: f64 = 0.2;

/// Whose request it is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Owner {
    User(Request),
    Read(f64),
    Write,
}

/// A request of a user: when it was due, and what is left of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Request {
    due: f64,
    reads: u32,
    writes: u32,
}

#[derive(Debug, Clone, Copy)]
struct Job {
    owner: Owner,
    issued: f64,
    bytes: f64,
}

/// What was seen in one window.
#[derive(Debug, Clone, Copy, Default)]
pub struct Window {
    /// Share of time in which a user waited for the disk.
    pub stall: f64,
    /// The same for users and the backup: what the root of all groups would say.
    pub any_stall: f64,
    /// Users that wait, a mean.
    pub waiting: f64,
    /// Users that wait at its end.
    pub blocked: f64,
}

/// A request that was answered: when it was due, and how long it took.
#[derive(Debug, Clone, Copy)]
pub struct Answer {
    pub due: f64,
    pub took: f64,
}

/// The machine.
pub struct Machine<'a> {
    night: &'a Night,
    /// When bursts begin and end, those to come.
    bursts: VecDeque<(f64, f64)>,
    random: Random,
    pub now: f64,
    next_due: f64,
    computing: Vec<(f64, Request)>,
    queue: VecDeque<Job>,
    disk_free: f64,
    /// Stall of this window and of those to come, of users and of all.
    stalls: VecDeque<(f64, f64)>,
    /// Until when stall is counted, of users and of all.
    counted: (f64, f64),
    users_waiting: u32,
    waiting_steps: (f64, u32),
    window_began: f64,
    pub answers: Vec<Answer>,
}

impl<'a> Machine<'a> {
    pub fn new(night: &'a Night) -> Machine<'a> {
        Machine {
            night,
            bursts: night.bursts().into(),
            random: Random::of(night.seed, 2),
            now: 0.0,
            next_due: 0.0,
            computing: vec![],
            queue: VecDeque::new(),
            disk_free: 0.0,
            stalls: VecDeque::new(),
            counted: (0.0, 0.0),
            users_waiting: 0,
            waiting_steps: (0.0, 0),
            window_began: 0.0,
            answers: vec![],
        }
    }

    /// One step, with or without a backup.
    pub fn step(&mut self, mut payload: Option<&mut Payload>) {
        let end = self.now + STEP;
        self.arrive(end, payload.as_deref().map_or(0.0, Payload::cores));
        if let Some(payload) = payload.as_deref_mut() {
            payload.earn(STEP);
            self.feed(payload, self.now);
        }
        self.serve(end, payload);
        self.waiting_steps.0 += f64::from(self.users_waiting);
        self.waiting_steps.1 += 1;
        self.now = end;
    }

    /// What was seen since the last window.
    pub fn window(&mut self) -> Window {
        let (from, to) = (self.window_began, self.now);
        let (mut stall, mut any) = self.stalls.pop_front().unwrap_or_default();
        // Who is still in the queue waits, too.
        let first = |of: fn(&Owner) -> bool| self.queue.iter().find(|job| of(&job.owner)).map(|job| job.issued);
        if let Some(since) = first(|owner| matches!(owner, Owner::User(_))) {
            stall += (to - since.max(self.counted.0).max(from)).max(0.0);
            self.counted.0 = self.counted.0.max(to);
        }
        if let Some(since) = first(|_| true) {
            any += (to - since.max(self.counted.1).max(from)).max(0.0);
            self.counted.1 = self.counted.1.max(to);
        }
        let length = (to - from).max(STEP);
        let (sum, steps) = std::mem::take(&mut self.waiting_steps);
        self.window_began = to;
        Window {
            stall: (stall / length).min(1.0),
            any_stall: (any / length).min(1.0),
            waiting: sum / f64::from(steps.max(1)),
            blocked: f64::from(self.users_waiting),
        }
    }

    fn arrive(&mut self, end: f64, backup_cores: f64) {
        while self.next_due < end {
            let (due, users) = (self.next_due, &self.night.users);
            while self.bursts.front().is_some_and(|(_, to)| *to <= due) {
                self.bursts.pop_front();
            }
            let in_burst = self.bursts.front().is_some_and(|(from, _)| *from <= due);
            let rate = self.night.requests(due, in_burst);
            if rate <= 0.0 {
                self.next_due = end;
                return;
            }
            self.next_due += self.random.wait(1.0 / rate).min(5.0);
            let reads = (0..users.reads).filter(|_| !self.random.chance(users.hit)).count() as u32;
            let writes = if self.random.chance(users.fsync) { 2 } else { 0 };
            let busy = (self.computing.len() + 1) as f64 + backup_cores * LOW_WEIGHT;
            let cpu = self.random.wait(users.cpu) * (busy / self.night.cores).max(1.0);
            self.computing.push((due + cpu, Request { due, reads, writes }));
        }
        let mut at = 0;
        while let Some((ready, request)) = self.computing.get(at).copied() {
            if ready < end {
                self.computing.swap_remove(at);
                self.go_on(request, ready);
            } else {
                at += 1;
            }
        }
    }

    /// The next thing of a request, or its end.
    fn go_on(&mut self, request: Request, at: f64) {
        let Request { due, reads, writes } = request;
        let next = match (reads, writes) {
            (0, 0) => return self.answers.push(Answer { due, took: at - due }),
            (0, _) => Request { writes: writes - 1, ..request },
            _ => Request { reads: reads - 1, ..request },
        };
        self.users_waiting += 1;
        self.queue.push_back(Job { owner: Owner::User(next), issued: at, bytes: PAGE });
    }

    /// Lets the backup ask for what it may.
    fn feed(&mut self, payload: &mut Payload, at: f64) {
        while let Some((owner, bytes)) = payload.next() {
            self.queue.push_back(Job { owner, issued: at, bytes });
        }
    }

    fn serve(&mut self, end: f64, mut payload: Option<&mut Payload>) {
        let (rate, requests) = self.night.disk;
        while let Some(job) = self.queue.front().copied() {
            let start = self.disk_free.max(job.issued);
            if start >= end {
                return;
            }
            self.queue.pop_front();
            let done = start + 1.0 / requests + job.bytes / rate;
            self.disk_free = done;
            self.count(&job, done);
            match job.owner {
                Owner::User(request) => {
                    self.users_waiting -= 1;
                    self.go_on(request, done);
                }
                Owner::Read(bytes) => {
                    if let Some(payload) = payload.as_deref_mut() {
                        payload.was_read(bytes);
                        self.feed(payload, done);
                    }
                }
                Owner::Write => {
                    if let Some(payload) = payload.as_deref_mut() {
                        payload.was_written();
                        self.feed(payload, done);
                    }
                }
            }
        }
    }

    /// Spreads a wait over the windows it falls into.
    fn count(&mut self, job: &Job, done: f64) {
        let user = matches!(job.owner, Owner::User(_));
        let (of_users, of_all) = (job.issued.max(self.counted.0), job.issued.max(self.counted.1));
        self.counted.1 = self.counted.1.max(done);
        if user {
            self.counted.0 = self.counted.0.max(done);
        }
        let mut from = self.window_began;
        for at in 0.. {
            let to = self.window_began + WINDOW * f64::from(at + 1);
            if self.stalls.len() as i32 <= at {
                self.stalls.push_back((0.0, 0.0));
            }
            if let Some((users, all)) = self.stalls.get_mut(at as usize) {
                *users += if user { (done.min(to) - of_users.max(from)).max(0.0) } else { 0.0 };
                *all += (done.min(to) - of_all.max(from)).max(0.0);
            }
            if done <= to {
                return;
            }
            from = to;
        }
    }
}
