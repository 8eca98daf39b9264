//! Client processes: each opens the ledger for itself, gets its calls, and begins when all are ready. Must not know what
//! the calls are about.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Mutex;

use giftcard::Desk;
use giftcard::desk::open_store;
use serde::{Deserialize, Serialize};

use super::calls::{Answered, Call, ask_all};
use super::place::{Place, SEED};
use crate::bank;

/// What a process says when it can begin.
const READY: &str = "ready";

/// What a process is told, one to a line.
#[derive(Debug, Serialize, Deserialize)]
enum Order {
    /// Open the ledger at this address, with ids that differ from those of other runs.
    Open { address: String, run: u64 },
    /// Ask all of this, by so many clients.
    Ask { calls: Vec<Call>, clients: usize },
}

/// A process that asks a desk of its own.
pub struct Client {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Client {
    /// Starts `program`, which runs [`serve`].
    ///
    /// # Panics
    /// If it does not start.
    #[must_use]
    pub fn start(program: &str) -> Self {
        let command = Command::new(program).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut child = command.expect("a client process starts");
        let input = child.stdin.take();
        let output = BufReader::new(child.stdout.take().expect("its output is a pipe"));
        Self { child, input, output }
    }

    /// Lets it open a ledger, and does not wait for it. `run` makes its ids differ from those of others.
    ///
    /// # Panics
    /// If it is gone.
    pub fn open(&mut self, place: &Place, run: u64) {
        self.order(&Order::Open { address: place.address().to_string(), run });
    }

    /// Waits until the ledger is open.
    ///
    /// # Panics
    /// If it does not open.
    pub fn wait_until_ready(&mut self) {
        assert_eq!(self.line().trim(), READY, "a client process");
    }

    /// Gives it calls; it begins at once.
    ///
    /// # Panics
    /// If it is gone.
    pub fn send(&mut self, calls: &[Call], clients: usize) {
        self.order(&Order::Ask { calls: calls.to_vec(), clients });
    }

    /// Waits for the answers to the calls that were sent first.
    ///
    /// # Panics
    /// If it is gone.
    #[must_use]
    pub fn answers(&mut self) -> Vec<Answered> {
        serde_json::from_str(&self.line()).expect("a client process answers")
    }

    /// Ends it on the spot, whatever it is doing. Nothing is known of what it was asked last.
    ///
    /// # Panics
    /// If it cannot be ended.
    pub fn kill(mut self) {
        self.child.kill().expect("a client process can be killed");
    }

    fn order(&mut self, order: &Order) {
        let input = self.input.as_mut().expect("its input is open");
        let mut line = serde_json::to_string(order).expect("orders are JSON");
        line.push('\n');
        input.write_all(line.as_bytes()).expect("a client process listens");
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).expect("its output can be read");
        line
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.input = None;
        let mut rest = Vec::new();
        let _ = self.output.read_to_end(&mut rest);
        let _ = self.child.wait();
    }
}

/// Several processes, which the tests of a program share one after the other: starting one takes a second, since it
/// compiles the rules. They end with the program.
pub struct Fleet {
    program: &'static str,
    clients: Mutex<Vec<Client>>,
}

impl Fleet {
    /// Processes of `program`, which runs [`serve`]; none yet.
    #[must_use]
    pub const fn of(program: &'static str) -> Self {
        Self { program, clients: Mutex::new(Vec::new()) }
    }

    /// Asks everything by so many processes of so many clients each, all at once. The answers are in the order of the
    /// calls.
    ///
    /// # Panics
    /// If a process fails.
    #[must_use]
    pub fn ask(&self, place: &Place, calls: &[Call], processes: usize, clients_each: usize) -> Vec<Answered> {
        let mut clients = self.clients.lock().unwrap_or_else(|poisoned| {
            // Somebody failed between a question and its answer: nothing can be said of those processes.
            let mut clients = poisoned.into_inner();
            clients.clear();
            clients
        });
        while clients.len() < processes {
            clients.push(Client::start(self.program));
        }
        let fleet = &mut clients[..processes];
        for (number, client) in fleet.iter_mut().enumerate() {
            client.open(place, 1_000 + number as u64);
        }
        fleet.iter_mut().for_each(Client::wait_until_ready);
        // Dealt like cards, so that neighbours are in different processes.
        for (number, client) in fleet.iter_mut().enumerate() {
            let hand: Vec<Call> = calls.iter().skip(number).step_by(processes).cloned().collect();
            client.send(&hand, clients_each);
        }
        let mut answers: Vec<Option<Answered>> = vec![None; calls.len()];
        for (number, client) in fleet.iter_mut().enumerate() {
            for (place, answer) in client.answers().into_iter().enumerate() {
                answers[place * processes + number] = Some(answer);
            }
        }
        self.clients.clear_poison();
        answers.into_iter().map(|answer| answer.expect("every call was answered")).collect()
    }
}

/// What a client process does: follows [`Client`] until its input ends.
///
/// # Errors
/// If a ledger cannot be opened, or a pipe breaks.
pub fn serve() -> anyhow::Result<()> {
    let mut desk: Option<Desk> = None;
    let mut output = std::io::stdout().lock();
    for line in std::io::stdin().lock().lines() {
        let answer = match serde_json::from_str(&line?)? {
            Order::Open { address, run } => {
                desk = Some(bank::desk(open_store(&address, false)?, SEED, run));
                READY.to_string()
            }
            Order::Ask { calls, clients } => {
                let desk = desk.as_ref().ok_or_else(|| anyhow::anyhow!("no ledger is open"))?;
                serde_json::to_string(&ask_all(desk, &calls, clients))?
            }
        };
        writeln!(output, "{answer}")?;
        output.flush()?;
    }
    Ok(())
}
