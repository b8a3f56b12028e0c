//! A pooler in front of a real PostgreSQL that gives each client a session, counts them, and refuses the one too many as
//! Supabase does: before it has authenticated, and with the same words. What passes is the server's own protocol, byte for
//! byte, so clients cannot tell the difference.
//!
//! A slot is free again when the server has closed the socket of the backend behind it, which it does when that backend's
//! process has ended. A client that goes away in the middle of a query holds its slot until the query is over.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy, sink};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::timeout;

use crate::patience::PATIENCE;
use crate::wire::{Along, Opening, Startup, refusal};

/// A running pooler. It ends when it is dropped.
pub struct Pooler {
    pub address: SocketAddr,
    pools: Arc<watch::Sender<Pools>>,
    listening: tokio::task::JoinHandle<()>,
}

/// Sessions by database. Tests have one role, so this is what Supabase calls a pool.
pub type Pools = BTreeMap<String, Pool>;

/// The sessions of one database.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Pool {
    /// How many there may be; nothing is refused without it.
    pub limit: Option<Limit>,
    pub all: Tally,
    pub by_name: BTreeMap<String, Tally>,
    pub by_source: BTreeMap<IpAddr, Tally>,
}

/// A limit, and what is said to those beyond it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Limit {
    /// Supabase's `pool_size`, in session mode.
    Session(usize),
    /// Supabase's `max_clients`, in transaction mode.
    Transaction(usize),
    /// What a server without a pooler leaves to those who are no superusers.
    Server(usize),
}

/// Sessions that are open, that were at most, and that were opened and refused in all; and statements that were prepared under
/// a name.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Tally {
    pub now: usize,
    pub peak: usize,
    pub opened: usize,
    pub refused: usize,
    pub named: usize,
}

impl Limit {
    /// How many.
    pub fn number(self) -> usize {
        let (Self::Session(number) | Self::Transaction(number) | Self::Server(number)) = self;
        number
    }

    /// As code and sentence.
    fn refusal(self) -> Vec<u8> {
        match self {
            Self::Session(number) => refusal(
                "XX000",
                &format!(
                    "(EMAXCONNSESSION) max clients reached in session mode - max clients are limited to pool_size: {number}"
                ),
            ),
            Self::Transaction(number) => {
                refusal("XX000", &format!("(EMAXCONN) max client connections reached, limit: {number}"))
            }
            Self::Server(_) => {
                refusal("53300", "remaining connection slots are reserved for roles with the SUPERUSER attribute")
            }
        }
    }
}

impl Pool {
    /// The tallies that a session counts in.
    fn each(&mut self, startup: &Startup, from: IpAddr) -> [&mut Tally; 3] {
        let name = self.by_name.entry(startup.application_name.clone()).or_default();
        [&mut self.all, name, self.by_source.entry(from).or_default()]
    }

    fn is_full(&self) -> bool {
        self.limit.is_some_and(|limit| self.all.now >= limit.number())
    }

    /// The sessions of one address, which is one pod.
    pub fn of(&self, source: IpAddr) -> Tally {
        self.by_source.get(&source).copied().unwrap_or_default()
    }
}

impl Pooler {
    /// Listens at an address of this machine, in front of this server.
    pub async fn start(at: IpAddr, server: SocketAddr) -> Self {
        let listener = TcpListener::bind((at, 0)).await.expect("an address of this machine");
        let address = listener.local_addr().expect("bound");
        let pools = Arc::new(watch::Sender::new(Pools::new()));
        let listening = tokio::spawn(listen(listener, server, Arc::clone(&pools)));
        Self { address, pools, listening }
    }

    /// Sets how many sessions a database may have from now on.
    pub fn limit(&self, database: &str, limit: impl Into<Option<Limit>>) {
        let limit = limit.into();
        self.pools.send_modify(|pools| pools.entry(database.into()).or_default().limit = limit);
    }

    /// The sessions of a database.
    pub fn pool(&self, database: &str) -> Pool {
        self.pools.borrow().get(database).cloned().unwrap_or_default()
    }

    /// The sessions of all databases, and whenever they change.
    pub fn changes(&self) -> watch::Receiver<Pools> {
        self.pools.subscribe()
    }

    /// Counts anew, from what is open.
    pub fn count_anew(&self, database: &str) {
        self.pools.send_modify(|pools| {
            let pool = pools.entry(database.into()).or_default();
            let Pool { all, by_name, by_source, .. } = pool;
            let tallies = [all].into_iter().chain(by_name.values_mut()).chain(by_source.values_mut());
            tallies.for_each(|tally| *tally = Tally { now: tally.now, peak: tally.now, ..Tally::default() });
        });
    }

    /// Waits until the sessions of a database are as `what` says.
    pub async fn until(&self, database: &str, what: &str, is: impl Fn(&Pool) -> bool) -> Pool {
        let mut changes = self.pools.subscribe();
        let empty = Pool::default();
        let wait = changes.wait_for(|pools| is(pools.get(database).unwrap_or(&empty)));
        let waited = timeout(PATIENCE, wait).await.map(drop);
        assert!(waited.is_ok(), "{database}: waited in vain until {what}; at last {:#?}", self.pool(database));
        self.pool(database)
    }

    /// Waits until no further session has been opened for so long, and returns the sessions.
    pub async fn until_settled(&self, database: &str, quiet: Duration) -> Pool {
        let mut changes = self.pools.subscribe();
        let mut last = self.pool(database).all;
        let grown = |pools: &Pools, last: Tally| pools.get(database).is_some_and(|pool| pool.all.peak > last.peak);
        while timeout(quiet, changes.wait_for(|pools| grown(pools, last))).await.is_ok() {
            last = self.pool(database).all;
        }
        self.pool(database)
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

async fn listen(listener: TcpListener, server: SocketAddr, pools: Arc<watch::Sender<Pools>>) {
    while let Ok((client, from)) = listener.accept().await {
        let pools = Arc::clone(&pools);
        tokio::spawn(async move {
            if let Err(error) = serve(client, from.ip(), server, &pools).await {
                eprintln!("pooler: {from}: {error}"); // such as a port scanner; a client of ours would fail its test
            }
        });
    }
}

async fn serve(
    mut client: TcpStream,
    from: IpAddr,
    server: SocketAddr,
    pools: &watch::Sender<Pools>,
) -> io::Result<()> {
    client.set_nodelay(true)?;
    match Opening::read(&mut client).await? {
        Opening::Nothing => Ok(()), // a probe of the port
        Opening::Cancel(bytes) => pass(client, &bytes, server, |_| {}).await,
        Opening::Startup(startup) => match Slot::take(pools, startup, from) {
            Ok(slot) => pass(client, &slot.startup.bytes, server, |named| slot.prepared(named)).await,
            Err(limit) => client.write_all(&limit.refusal()).await,
        },
    }
}

/// Opens a connection to the server, sends what the client began with, and copies both ways until the server closes it.
async fn pass(client: TcpStream, beginning: &[u8], server: SocketAddr, prepared: impl Fn(usize)) -> io::Result<()> {
    let mut backend = TcpStream::connect(server).await?;
    backend.set_nodelay(true)?;
    backend.write_all(beginning).await?;
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_backend, mut to_backend) = backend.into_split();
    let up = async {
        let (mut along, mut bytes) = (Along::default(), vec![0; 8_192]);
        // That the client goes away is its right.
        while let Ok(count @ 1..) = from_client.read(&mut bytes).await {
            prepared(along.named_statements(&bytes[..count]));
            if to_backend.write_all(&bytes[..count]).await.is_err() {
                break;
            }
        }
        let _ = to_backend.shutdown().await; // the backend ends when it next reads
        std::future::pending::<()>().await;
    };
    let down = async {
        let _ = copy(&mut from_backend, &mut to_client).await;
        let _ = copy(&mut from_backend, &mut sink()).await; // a client that is gone reads no more, and the backend still lives
    };
    tokio::select! {
        () = up => {}
        () = down => {}
    }
    Ok(())
}

/// A session's place. It is given back when it is dropped.
struct Slot<'a> {
    pools: &'a watch::Sender<Pools>,
    startup: Startup,
    from: IpAddr,
}

impl<'a> Slot<'a> {
    fn take(pools: &'a watch::Sender<Pools>, startup: Startup, from: IpAddr) -> Result<Self, Limit> {
        let mut refused = None;
        pools.send_modify(|pools| {
            let pool = pools.entry(startup.database.clone()).or_default();
            refused = pool.limit.filter(|_| pool.is_full());
            for tally in pool.each(&startup, from) {
                if refused.is_some() {
                    tally.refused += 1;
                } else {
                    tally.now += 1;
                    tally.opened += 1;
                    tally.peak = tally.peak.max(tally.now);
                }
            }
        });
        match refused {
            Some(limit) => Err(limit),
            None => Ok(Self { pools, startup, from }), // made here only, as dropping one gives a place back
        }
    }

    fn prepared(&self, named: usize) {
        if named > 0 {
            self.pools.send_modify(|pools| {
                let pool = pools.entry(self.startup.database.clone()).or_default();
                pool.each(&self.startup, self.from).into_iter().for_each(|tally| tally.named += named);
            });
        }
    }
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        self.pools.send_modify(|pools| {
            let pool = pools.entry(self.startup.database.clone()).or_default();
            pool.each(&self.startup, self.from).into_iter().for_each(|tally| tally.now -= 1);
        });
    }
}
