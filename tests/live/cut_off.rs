//! A replica that is cut off from the API server says so, and when it is back.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use dbbudget::api::parse::Name;
use dbbudget::cluster::view::Shared;
use dbbudget::cluster::view::follow::{Follower, Progress};
use dbbudget::cluster::view::sources::{Scope, Source, Watch};
use kube::config::KubeConfigOptions;
use kube::{Client, Config};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::cluster::{Cluster, provide_tls};
use crate::things::budget;
use crate::world::{PATIENCE, World};

/// Passes connections through, or none.
struct Wire {
    address: SocketAddr,
    cut: watch::Sender<bool>,
}

impl Wire {
    async fn to(server: String) -> Self {
        let mut listener = TcpListener::bind("127.0.0.1:0").await.expect("an address");
        let address = listener.local_addr().expect("an address");
        let (cut, mut is_cut) = watch::channel(false);
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    () = pass(&listener, &server) => {}
                    true = is(&mut is_cut, true) => {}
                }
                drop(listener);
                if !is(&mut is_cut, false).await {
                    return;
                }
                listener = TcpListener::bind(address).await.expect("the same address");
            }
        });
        Self { address, cut }
    }
}

/// Passes connections through; all of them end with this.
async fn pass(listener: &TcpListener, server: &str) {
    let mut open = JoinSet::new();
    while let Ok((mut client, _)) = listener.accept().await {
        let mut server = TcpStream::connect(server).await.expect("the API server");
        open.spawn(async move { tokio::io::copy_bidirectional(&mut client, &mut server).await });
    }
}

/// Waits until it is so, or answers that it never will be.
async fn is(cut: &mut watch::Receiver<bool>, so: bool) -> bool {
    cut.wait_for(|cut| *cut == so).await.is_ok()
}

fn through(wire: &Wire, mut config: Config) -> Client {
    config.cluster_url = format!("https://{}", wire.address).parse().expect("a URL");
    config.connect_timeout = Some(Duration::from_secs(1));
    config.default_retry = false;
    Client::try_from(config).expect("a client")
}

#[tokio::test]
async fn a_watch_that_is_cut_off_is_told_and_so_is_that_it_is_back() {
    provide_tls();
    let world = World::new("cut-off").await;
    let kubeconfig = Cluster::shared().kubeconfig();
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.expect("usable");
    let server = config.cluster_url.authority().expect("host and port").to_string();
    let wire = Wire::to(server).await;
    let client = through(&wire, config);
    let (shared, _notices) = Shared::new();
    let definitions = watch::Sender::new(Some(BTreeMap::new()));
    let follower = Follower { client, shared: shared.clone(), definitions, patience: Duration::from_secs(2) };
    let (tell, mut told) = mpsc::unbounded_channel();
    let budgets = Watch { source: Source::Budgets, scope: Scope::Namespace(world.namespace.clone()) };
    let following = tokio::spawn(async move { follower.follow(&budgets, |progress| drop(tell.send(progress))).await });
    let mut next = async || timeout(PATIENCE, told.recv()).await.expect("in time").expect("it follows");

    assert_eq!(next().await, Progress::Filled);
    wire.cut.send_replace(true);
    let cut_off = next().await;
    let expected = format!("watching DatabaseBudgets in {} has failed for 2s", world.namespace);
    assert!(matches!(&cut_off, Progress::CutOff(sentence) if sentence.starts_with(&expected)), "{cut_off:?}");
    world.apply(&budget("meanwhile", "", &[])).await;
    wire.cut.send_replace(false);
    assert_eq!(next().await, Progress::Filled);
    let meanwhile = Name::new(world.namespace.clone(), "meanwhile");
    assert!(shared.read().budget(&meanwhile).is_some(), "it knows what it missed");
    following.abort();
}
