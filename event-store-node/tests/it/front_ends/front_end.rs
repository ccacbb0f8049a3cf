//! Servers of the node's services, each with its own address, its own connections and its own runtime, so that each
//! can end like a process: at once, whatever it is doing.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::middleware;
use event_store_node::serve;
use socket2::{Domain, Socket, Type};
use tokio::runtime::{Builder, Runtime};
use tonic::service::Routes;

use super::stub::{self, Stub};

const BACKLOG: i32 = 128;

/// An address on which a front end serves, or does not.
pub struct FrontEnd {
    address: SocketAddr,
    /// Holds the port while nothing serves.
    _place: Socket,
    runtime: Option<Runtime>,
}

impl FrontEnd {
    pub fn new() -> Self {
        let place = socket("127.0.0.1:0".parse().expect("an address")).expect("a port");
        let address = place.local_addr().expect("an address").as_socket().expect("an address");
        Self { address, _place: place, runtime: None }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn serves(&self) -> bool {
        self.runtime.is_some()
    }

    /// Begins to serve, as soon as what served here before is gone.
    pub async fn start(&mut self, routes: Routes, stub: Arc<Stub>, number: usize) {
        let listening = loop {
            let listening = socket(self.address).and_then(|socket| socket.listen(BACKLOG).map(|()| socket));
            if let Ok(listening) = listening {
                break std::net::TcpListener::from(listening);
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        };
        listening.set_nonblocking(true).expect("a socket");
        let router = routes.into_axum_router();
        let router = router.layer(middleware::from_fn_with_state((stub, number), stub::before));
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
        runtime.spawn(async move {
            let listener = tokio::net::TcpListener::from_std(listening).expect("a listener");
            serve(router.into(), listener, std::future::pending()).await.expect("served");
        });
        self.runtime = Some(runtime);
    }

    /// Ends at once: nothing under way comes to its end, and connections break off.
    pub fn kill(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Drop for FrontEnd {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A socket on an address that others may have, too, as long as nobody listens.
fn socket(address: SocketAddr) -> std::io::Result<Socket> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    Ok(socket)
}
