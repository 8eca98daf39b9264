//! A line between a client and a server that can be cut at a chosen moment. Must not know what is said on it.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Passes on what is said between clients and a server, until it is told otherwise.
pub struct Proxy {
    port: u16,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    /// How many answers are swallowed yet; each cuts its line.
    swallow: AtomicU32,
    /// Whether new clients are turned away.
    closed: AtomicBool,
    /// Whether it is over.
    ended: AtomicBool,
    lines: Mutex<Vec<TcpStream>>,
}

impl Proxy {
    /// A line to this port of this machine.
    ///
    /// # Panics
    /// If there is no free port.
    #[must_use]
    pub fn new(server: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let port = listener.local_addr().expect("its address").port();
        let state = Arc::new(State::default());
        let of_thread = Arc::clone(&state);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if of_thread.ended.load(Ordering::SeqCst) {
                    return;
                }
                if !of_thread.closed.load(Ordering::SeqCst) {
                    connect(client, server, &of_thread);
                }
            }
        });
        Self { port, state }
    }

    /// Where clients connect to.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The next answers of the server, so many, do not reach the client: instead, the line is cut.
    pub fn swallow_answers(&self, answers: u32) {
        self.state.swallow.store(answers, Ordering::SeqCst);
    }

    /// From now on nobody gets through, and a swallowed answer stays the last thing that was said.
    pub fn close(&self) {
        self.state.closed.store(true, Ordering::SeqCst);
    }

    /// Cuts all lines.
    ///
    /// # Panics
    /// If a thread of it panicked.
    pub fn cut(&self) {
        for line in self.state.lines.lock().expect("no panic").drain(..) {
            let _ = line.shutdown(Shutdown::Both);
        }
    }

    /// New clients get through again.
    pub fn open(&self) {
        self.state.closed.store(false, Ordering::SeqCst);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.state.ended.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect_timeout(&([127, 0, 0, 1], self.port).into(), Duration::from_secs(1));
        self.cut();
    }
}

fn connect(client: TcpStream, server: u16, state: &Arc<State>) {
    let Ok(server) = TcpStream::connect(("127.0.0.1", server)) else { return };
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let (Ok(from_client), Ok(from_server)) = (client.try_clone(), server.try_clone()) else { return };
    if let (Ok(one), Ok(other)) = (client.try_clone(), server.try_clone()) {
        state.lines.lock().expect("no panic").extend([one, other]);
    }
    std::thread::spawn(move || pass_on(from_client, server, || true));
    let state = Arc::clone(state);
    std::thread::spawn(move || {
        let one_less = |left: u32| left.checked_sub(1);
        pass_on(from_server, client, || {
            state.swallow.fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_less).is_err()
        });
    });
}

/// Passes on what comes until the end, or until something may not pass.
fn pass_on(mut from: TcpStream, mut to: TcpStream, may_pass: impl Fn() -> bool) {
    let mut buffer = vec![0; 64 << 10];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        if !may_pass() || to.write_all(&buffer[..length]).is_err() {
            break;
        }
    }
    let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
}
