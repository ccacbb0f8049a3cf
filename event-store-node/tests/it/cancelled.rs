//! A client that takes back many calls at once, by the frames of HTTP/2 (RFC 9113), since no client does so on demand.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{start, within};

const DATA: u8 = 0x0;
const HEADERS: u8 = 0x1;
const RST_STREAM: u8 = 0x3;
const SETTINGS: u8 = 0x4;
const GOAWAY: u8 = 0x7;
const END_STREAM: u8 = 0x1;
const END_HEADERS: u8 = 0x4;
const CANCEL: u32 = 0x8;

/// How many calls the client takes back, all of them before the node can have looked at the first.
const CALLS: u32 = 1_000;

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() as u32).to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// The header block of a call (RFC 7541): `POST` and `http` by their numbers in the static table, the rest spelt out.
fn call() -> Vec<u8> {
    let mut block = vec![0x83, 0x86];
    for (name, value) in [
        (":path", "/event_store.client.server_features.ServerFeatures/GetSupportedMethods"),
        (":authority", "localhost"),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
    ] {
        block.push(0);
        for text in [name, value] {
            block.push(text.len() as u8);
            block.extend(text.as_bytes());
        }
    }
    block
}

/// What a client sends that begins `CALLS` calls, takes each back, and then makes one in earnest, with the number of that.
fn everything() -> (Vec<u8>, u32) {
    let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    bytes.extend(frame(SETTINGS, 0, 0, &[]));
    for number in 0..CALLS {
        let stream = 2 * number + 1;
        bytes.extend(frame(HEADERS, END_HEADERS, stream, &call()));
        bytes.extend(frame(RST_STREAM, 0, stream, &CANCEL.to_be_bytes()));
    }
    let last = 2 * CALLS + 1;
    bytes.extend(frame(HEADERS, END_HEADERS, last, &call()));
    // A message without a field: not compressed, and no bytes long.
    bytes.extend(frame(DATA, END_STREAM, last, &[0; 5]));
    (bytes, last)
}

#[tokio::test]
async fn many_calls_that_are_taken_back_leave_the_connection_to_the_others() {
    let running = start().await;
    let mut socket = TcpStream::connect(running.node.address()).await.expect("a connection");
    let (bytes, last) = everything();
    socket.write_all(&bytes).await.expect("a node that reads");
    let answered = async {
        loop {
            let mut head = [0; 9];
            socket.read_exact(&mut head).await.expect("a frame");
            let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
            let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
            let mut payload = vec![0; length as usize];
            socket.read_exact(&mut payload).await.expect("a frame");
            assert_ne!(head[3], GOAWAY, "the connection ends: {}", String::from_utf8_lossy(&payload));
            if head[3] == DATA && stream == last {
                break;
            }
        }
    };
    within(answered).await;
}
