//! Two replicas of the operator, beside the API server, that come and go.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::operator::Operator;
use crate::service::{self, Endpoint};
use crate::world::World;

/// Longer than the election's Lease lasts.
const FROZEN: Duration = Duration::from_secs(25);

/// Both.
pub struct Replicas {
    service: SocketAddr,
    both: [Replica; 2],
}

struct Replica {
    endpoint: Endpoint,
    state: State,
    starts: usize,
    said: Vec<String>,
}

enum State {
    Runs(Operator),
    Frozen(Operator, Instant),
    Gone(Instant),
}

impl Replicas {
    /// Starts both, and waits until they are ready.
    pub async fn start(world: &World<'_>) -> Self {
        let both = [Endpoint::new(), Endpoint::new()];
        let service = service::start(&both).await;
        let replica = |endpoint| Replica { endpoint, state: State::Gone(Instant::now()), starts: 0, said: Vec::new() };
        let mut all = Self { service, both: both.map(replica) };
        all.tick(world);
        for replica in &mut all.both {
            if let State::Runs(operator) = &mut replica.state {
                operator.until_ready().await;
            }
        }
        all
    }

    /// Brings back those whose time has come.
    pub fn tick(&mut self, world: &World<'_>) {
        for (number, replica) in self.both.iter_mut().enumerate() {
            replica.state = match std::mem::replace(&mut replica.state, State::Gone(Instant::now())) {
                State::Gone(until) if until <= Instant::now() => {
                    replica.starts += 1;
                    State::Runs(spawn(world, number, replica, self.service))
                }
                State::Frozen(operator, until) if until <= Instant::now() => {
                    operator.signal("CONT");
                    State::Runs(operator)
                }
                other => other,
            };
        }
    }

    /// SIGKILL.
    pub fn kill(&mut self, number: usize, back: Duration) {
        let replica = &mut self.both[number];
        let gone = State::Gone(Instant::now() + back);
        match std::mem::replace(&mut replica.state, gone) {
            State::Runs(operator) | State::Frozen(operator, _) => {
                replica.said.extend(operator.log());
                operator.kill();
            }
            State::Gone(until) => replica.state = State::Gone(until.max(Instant::now() + back)),
        }
    }

    /// SIGSTOP.
    pub fn freeze(&mut self, number: usize) {
        let replica = &mut self.both[number];
        replica.state = match std::mem::replace(&mut replica.state, State::Gone(Instant::now())) {
            State::Runs(operator) => {
                operator.signal("STOP");
                State::Frozen(operator, Instant::now() + FROZEN)
            }
            other => other,
        };
    }

    /// Whether both run.
    pub fn all_run(&self) -> bool {
        self.both.iter().all(|replica| matches!(replica.state, State::Runs(_)))
    }

    /// All that both have ever written.
    pub fn logs(&self) -> String {
        let log = |replica: &Replica| {
            let mut lines = replica.said.clone();
            if let State::Runs(operator) | State::Frozen(operator, _) = &replica.state {
                lines.extend(operator.log());
            }
            lines.join("\n")
        };
        self.both.each_ref().map(log).join("\n--- the other replica\n")
    }
}

fn spawn(world: &World<'_>, number: usize, replica: &Replica, service: SocketAddr) -> Operator {
    let Replica { endpoint, starts, .. } = replica;
    let identity = format!("replica-{number}-{starts}"); // as pods have names of their own
    let args = [
        "--listen".to_owned(),
        endpoint.pages.to_string(),
        "--webhook-listen".to_owned(),
        endpoint.webhook.to_string(),
        "--webhook-url".to_owned(),
        format!("https://{service}"),
        "--namespace".to_owned(),
        world.namespace.clone(),
        "--adopt-after".to_owned(),
        "1".to_owned(),
    ];
    Operator::spawn(world, &identity, &args.each_ref().map(String::as_str))
}
