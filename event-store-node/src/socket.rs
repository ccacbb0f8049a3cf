//! Accepted connections that acknowledge at once. A client that sends an append as two small packets with Nagle's
//! algorithm on waits for the first acknowledgement, which the kernel would delay by some 40 ms; `TCP_QUICKACK` stops
//! that but wears off, so it is set again after every read.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures::stream::{self, Stream};
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tonic::transport::server::Connected;

/// A connection that acknowledges at once.
#[derive(Debug)]
pub(crate) struct QuickAckStream(TcpStream);

/// Where a connection comes from, as far as the machine knows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PeerAddress(pub(crate) Option<SocketAddr>);

/// The connections that a listener accepts, until it is dropped.
pub(crate) fn accept(listener: TcpListener) -> impl Stream<Item = io::Result<QuickAckStream>> {
    stream::unfold(listener, |listener| async move {
        let accepted = listener.accept().await.map(|(stream, _)| QuickAckStream::new(stream));
        Some((accepted, listener))
    })
}

impl QuickAckStream {
    fn new(stream: TcpStream) -> Self {
        // Without these the connection is slower, not wrong.
        let _ = stream.set_nodelay(true);
        let _ = SockRef::from(&stream).set_tcp_quickack(true);
        Self(stream)
    }
}

impl AsyncRead for QuickAckStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut self.0).poll_read(context, buffer);
        if read.is_ready() {
            let _ = SockRef::from(&self.0).set_tcp_quickack(true);
        }
        read
    }
}

impl AsyncWrite for QuickAckStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}

impl Connected for QuickAckStream {
    type ConnectInfo = PeerAddress;

    fn connect_info(&self) -> Self::ConnectInfo {
        PeerAddress(self.0.peer_addr().ok())
    }
}
