//! What a Service is to the webhook: one address, behind which the replicas are that say they are ready. Connections stay where
//! they are, as kube-proxy leaves them.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};

/// How often a kubelet would ask, and how long it would wait for an answer.
const PROBE: Duration = Duration::from_secs(1);

/// A replica behind the Service.
#[derive(Clone)]
pub struct Endpoint {
    pub webhook: SocketAddr,
    pub pages: SocketAddr,
    ready: Arc<AtomicBool>,
}

impl Endpoint {
    /// At ports that are free now.
    pub fn new() -> Self {
        let free = || {
            let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
            listener.local_addr().expect("bound")
        };
        Self { webhook: free(), pages: free(), ready: Arc::default() }
    }

    async fn probe(&self) -> std::io::Result<bool> {
        let mut stream = TcpStream::connect(self.pages).await?;
        let request = format!("GET /readyz HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", self.pages);
        stream.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        Ok(answer.starts_with("HTTP/1.1 200"))
    }

    async fn follow(self) {
        loop {
            let ready = timeout(PROBE, self.probe()).await.is_ok_and(|answer| answer.unwrap_or(false));
            self.ready.store(ready, Ordering::Relaxed);
            sleep(PROBE / 2).await;
        }
    }
}

/// Starts one, and answers its address.
pub async fn start(endpoints: &[Endpoint]) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    for endpoint in endpoints {
        tokio::spawn(endpoint.clone().follow());
    }
    let (endpoints, turn) = (endpoints.to_vec(), AtomicUsize::new(0));
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let ready: Vec<&Endpoint> = endpoints.iter().filter(|e| e.ready.load(Ordering::Relaxed)).collect();
            if ready.is_empty() {
                continue; // closed, as a Service without endpoints refuses
            }
            let to = ready[turn.fetch_add(1, Ordering::Relaxed) % ready.len()].webhook;
            tokio::spawn(async move {
                if let Ok(mut server) = TcpStream::connect(to).await {
                    let _ = copy_bidirectional(&mut client, &mut server).await;
                }
            });
        }
    });
    address
}
