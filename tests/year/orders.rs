//! What people and the machine do to the daemon.

use govern::daemon::core::words::Input;
use govern::daemon::protocol::Order;

use crate::happenings::Happening;
use crate::jobs;
use crate::world::{Event, World};

impl World {
    /// Something happens.
    pub fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Clock(by) => self.set_clock(by),
            Happening::WrongClock(by, after) => {
                self.set_clock(by);
                self.plan_in(after, Event::Clock(-by));
            }
            Happening::Daemon(kill, away) if self.is_up() => self.doom = Some((kill, away)),
            Happening::Daemon(..) => {}
            Happening::Power(away) => self.lose_power(away),
            Happening::Policies(many) => {
                for _ in 0..many {
                    let number = self.any_number();
                    if let Some(plan) = self.plans.jobs.get_mut(&jobs::name(number)) {
                        self.maker.change(plan, number);
                    }
                }
                self.adopt();
            }
            Happening::Removed(away) => {
                let number = self.any_number();
                if self.plans.jobs.remove(&jobs::name(number)).is_some() {
                    self.adopt();
                    self.plan_in(away, Event::Restored(number));
                }
            }
            Happening::Busy(span) => self.busy_until = self.real() + span,
            Happening::Pause(all, span) => {
                let job = (!all).then(|| self.any_job());
                let seconds = u64::try_from(span / 1_000_000).unwrap();
                self.order(&Order::Pause { job, seconds });
            }
            Happening::Resume(all) => {
                let job = (!all).then(|| self.any_job());
                self.order(&Order::Resume { job });
            }
            Happening::Run => self.ask(),
            Happening::Admit(at_once) => self.ask_to_admit(at_once),
            Happening::Cancel => {
                let mut busy: Vec<String> = self.runs.under_way().map(|(_, run)| run.job.clone()).collect();
                busy.extend(self.open().map(|it| it.job.clone()));
                let job = match busy.len() {
                    0 => self.any_job(),
                    many => busy.swap_remove(self.random.below(many as u64) as usize),
                };
                let now = self.random.chance(0.2);
                self.order(&Order::Cancel { job, now });
            }
            Happening::Throttle => {
                let job = self.any_job();
                self.order(&Order::Throttle { job, rate: Some(1_000_000), seconds: 3600 });
            }
            Happening::Other => self.start_another(),
        }
    }

    /// A policy's file is there again, with something else in it.
    pub fn restore(&mut self, number: usize) {
        let plan = self.maker.job(number);
        self.plans.jobs.insert(jobs::name(number), plan);
        self.adopt();
    }

    fn any_number(&mut self) -> usize {
        self.random.below(self.number_of_jobs as u64) as usize
    }

    fn any_job(&mut self) -> String {
        jobs::name(self.any_number())
    }

    fn order(&mut self, order: &Order) {
        self.last_client += 1;
        let client = self.last_client;
        self.tell(Input::Order { client, order });
    }

    fn ask(&mut self) {
        let job = self.any_job();
        let may = self.plans.jobs.contains_key(&job) && !self.runs.under_way().any(|(_, run)| run.job == job);
        let lives = self.lives();
        self.order(&Order::Run { job: job.clone() });
        let told = self.told();
        // A daemon that was killed at this very moment has promised nothing.
        if may
            && self.is_up()
            && self.lives() == lives
            && !self.oracle.knows_request(&job, told)
            && !self.is_started(&job)
        {
            self.oracle.wrong.push(format!("{told} {job}: a request is not written down"));
        }
    }

    /// A run of it was just begun, or is about to be.
    fn is_started(&self, job: &str) -> bool {
        self.open().any(|it| it.job == job && matches!(it.fate, govern::ledger::occasions::Fate::Started(_)))
    }

    fn ask_to_admit(&mut self, at_once: bool) {
        let job = self.any_job();
        let due = self.next_told();
        self.oracle.lent.insert((job.clone(), due));
        if at_once {
            self.oracle.at_once.insert((job.clone(), due));
        }
        self.order(&Order::Admit { job, at_once });
        if self.is_up() && self.random.chance(0.7) {
            let patience = self.patience();
            self.plan_in(patience, Event::ClientGoes(self.last_client));
        }
    }

    /// Somebody starts a run past the daemon: `govern exec`, or an older program. Only the job's own lock holds it back.
    fn start_another(&mut self) {
        let job = self.any_job();
        if self.is_up() || self.runs.under_way().any(|(_, run)| run.job == job) {
            return;
        }
        let run = format!("other-{}", self.runs.begun);
        self.begin(run, job);
    }
}
