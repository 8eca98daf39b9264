//! `kill -9` at random moments: a process that works a ledger and says what it sent and what was acknowledged, and another
//! that kills it, compares, and starts the next. Must not know how a ledger recovers.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use giftcard::Desk;
use giftcard_ledger::sqlite::{SqliteOptions, SqliteStore};
use serde::{Deserialize, Serialize};

use super::books;
use super::client::{Action, Client, Reply};
use super::scene::{LEDGER, check_pages, desk_of};
use super::shopper::{ISSUE, Shopper, issue};
use crate::bank;
use crate::random::Random;

/// How long a worker may take to begin, and how long it works at most, in seconds.
const PATIENCE_S: u64 = 120;

/// Pages of a log that is moved all the time.
const MOVING_PAGES: u32 = 64;

/// Acknowledged operations that are sent again after each kill.
const REPEATED: usize = 20;

/// Cycles after which a new file is begun, so that killing the making of one is a part of it.
const CYCLES_PER_FILE: u64 = 50;

/// Milliseconds on the ledger's clock that a cycle has to itself.
const CYCLE_MS: i64 = 2_000;

/// What a worker says, a line of JSON each.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Line {
    /// It has loaded the rules and opens the ledger now.
    Ready,
    /// The ledger is open.
    Open,
    /// Said before an operation is sent.
    Sent {
        /// Its key.
        key: String,
        /// What is asked for.
        action: Action,
        /// The moment that is told.
        now: i64,
    },
    /// Said after it was acknowledged.
    Done {
        /// Its key.
        key: String,
        /// The answer.
        answer: String,
    },
    /// Said after it was refused.
    Refused {
        /// Its key.
        key: String,
        /// The refusal's code.
        code: String,
    },
    /// Said after it failed.
    Failed {
        /// Its key.
        key: String,
        /// The failure's code.
        code: String,
        /// And message.
        message: String,
    },
}

impl Line {
    fn heard(key: String, reply: Reply) -> Self {
        match reply {
            Reply::Done(answer) => Self::Done { key, answer },
            Reply::Refused(code) => Self::Refused { key, code },
            Reply::Failed(code, message) => Self::Failed { key, code, message },
        }
    }
}

/// Says a line: whole, and at once. What is in a pipe survives the process.
fn say(line: &Line) -> Result<()> {
    let mut text = serde_json::to_vec(line)?;
    text.push(b'\n');
    let mut out = std::io::stdout().lock();
    out.write_all(&text)?;
    Ok(out.flush()?)
}

/// The worker: opens the ledger, and lets `shoppers` ask as fast as they can until somebody kills it.
///
/// # Errors
/// Where the ledger does not open, or nobody listens any more.
pub fn work(path: &Path, cycle: u64, seed: u64, shoppers: u64) -> Result<()> {
    let _loaded = bank::rulebook();
    say(&Line::Ready)?;
    // Every other one moves its log all the time, so that some are killed while they do.
    let log_pages = if cycle.is_multiple_of(2) { MOVING_PAGES } else { SqliteOptions::default().log_pages };
    let store = SqliteStore::open(path, &SqliteOptions { create: true, log_pages, ..SqliteOptions::default() })?;
    let desk = desk_of(Arc::new(store), cycle * 2)?;
    let begin = bank::NOW + i64::try_from(cycle)? * CYCLE_MS;
    ask(&desk, ISSUE.to_string(), &issue(), begin)?;
    say(&Line::Open)?;
    let end = Instant::now() + Duration::from_secs(PATIENCE_S);
    let shop = |place: u64| -> Result<()> {
        let mut shopper = Shopper::new(format!("c{cycle}-s{place}"), seed ^ (cycle * 1000 + place), begin);
        while Instant::now() < end {
            let (key, action, now) = shopper.wish();
            let reply = ask(&desk, key.clone(), &action, now)?;
            shopper.hears(&key, &action, &reply);
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (1..=shoppers).map(|place| scope.spawn(move || shop(place))).collect();
        threads.into_iter().try_for_each(|thread| thread.join().map_err(|_| anyhow::anyhow!("a thread panicked"))?)
    })
}

fn ask(desk: &Desk, key: String, action: &Action, now: i64) -> Result<Reply> {
    say(&Line::Sent { key: key.clone(), action: action.clone(), now })?;
    let reply = action.perform(desk, &key, now);
    say(&Line::heard(key, reply.clone()))?;
    Ok(reply)
}

/// How workers are killed.
#[derive(Clone, Debug)]
pub struct Killing {
    /// The program that becomes a worker with `worker <file> <cycle> <seed> <shoppers>`.
    pub program: PathBuf,
    /// A folder on a real disk.
    pub folder: PathBuf,
    /// How often.
    pub cycles: u64,
    /// The moments follow from it; what the threads are at then does not.
    pub seed: u64,
    /// How many ask at the same time.
    pub shoppers: u64,
    /// How long a worker is left alone under load, at most, in milliseconds.
    pub longest_ms: i64,
}

/// What all the killing showed.
#[derive(Debug, Default)]
pub struct Killed {
    /// Processes killed.
    pub kills: u64,
    /// Of these, while the ledger was being opened.
    pub while_opening: u64,
    /// Operations sent, and acknowledged before the kill.
    pub sent: usize,
    /// Acknowledged by workers.
    pub acknowledged: usize,
    /// Sent without an answer: there all the same after the kill, and not there.
    pub unanswered: (usize, usize),
    /// Sent once more afterwards.
    pub repeated: usize,
    /// Files that were worked on.
    pub files: u64,
}

/// When a worker is killed.
enum Moment {
    /// So long after it has opened the ledger.
    UnderLoad(Duration),
    /// So long after it begins to open the ledger.
    WhileOpening(Duration),
    /// When it has acknowledged so many operations.
    AtAnswer(usize),
}

impl Killing {
    /// Kills, compares and goes on.
    ///
    /// # Errors
    /// The first difference between what was acknowledged and what is there.
    pub fn run(&self, mut tell: impl FnMut(u64, &Killed)) -> Result<Killed> {
        let mut random = Random::new(self.seed);
        let mut killed = Killed::default();
        let mut first = 0;
        while first < self.cycles {
            let last = (first + CYCLES_PER_FILE).min(self.cycles);
            let folder = tempfile::tempdir_in(&self.folder).context("no folder for a ledger")?;
            self.run_on(&folder.path().join(LEDGER), first..last, &mut random, &mut killed, &mut tell)?;
            killed.files += 1;
            first = last;
        }
        Ok(killed)
    }

    fn run_on(
        &self,
        path: &Path,
        cycles: std::ops::Range<u64>,
        random: &mut Random,
        killed: &mut Killed,
        tell: &mut impl FnMut(u64, &Killed),
    ) -> Result<()> {
        let mut client = Client::default();
        let last = cycles.end - 1;
        for cycle in cycles {
            let within = || format!("cycle {cycle}, seed {}", self.seed);
            let moment = match random.within(1, 10) {
                1..=2 => Moment::WhileOpening(Duration::from_micros(random.within(0, 30_000).unsigned_abs())),
                3 => Moment::AtAnswer(usize::try_from(random.within(1, 200)).unwrap_or(1)),
                _ => {
                    Moment::UnderLoad(Duration::from_micros((random.within(0, self.longest_ms * 1000)).unsigned_abs()))
                }
            };
            let acknowledged = self.kill_one(path, cycle, &moment, &mut client).with_context(within)?;
            killed.kills += 1;
            killed.acknowledged += acknowledged;
            killed.while_opening += u64::from(matches!(moment, Moment::WhileOpening(_)));
            // Now and then the next worker finds what this one left.
            if cycle != last && random.chance(25) {
                continue;
            }
            self.compare(path, cycle, &mut client, random, killed).with_context(within)?;
            tell(cycle, killed);
        }
        killed.sent += client.len();
        check_pages(path)?;
        let store = SqliteStore::open(path, &SqliteOptions::default())?;
        let findings = client.compare(&store, usize::MAX, usize::MAX)?.into_result()?;
        ensure!(findings.unanswered.0 + findings.unanswered.1 == 0, "something was not repeated");
        books::verify(&desk_of(Arc::new(store), u64::MAX)?)
    }

    /// Starts a worker, kills it at that moment, and notes what it said. Returns how much it had acknowledged.
    fn kill_one(&self, path: &Path, cycle: u64, moment: &Moment, client: &mut Client) -> Result<usize> {
        let arguments = [cycle, self.seed, self.shoppers].map(|number| number.to_string());
        let child = Command::new(&self.program)
            .arg("worker")
            .arg(path)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("`{}` does not start", self.program.display()))?;
        let mut worker = Worker::of(child);
        let acknowledged = worker.listen_until(moment, client)?;
        worker.kill()?;
        Ok(acknowledged + worker.hear_the_rest(client)?)
    }

    /// Compares the ledger with what was said, and sends again what was not answered, and some of what was.
    fn compare(
        &self,
        path: &Path,
        cycle: u64,
        client: &mut Client,
        random: &mut Random,
        killed: &mut Killed,
    ) -> Result<()> {
        let store = SqliteStore::open(path, &SqliteOptions { create: true, ..SqliteOptions::default() })?;
        let findings = client.compare(&store, usize::MAX, usize::MAX)?.into_result()?;
        killed.unanswered.0 += findings.unanswered.0;
        killed.unanswered.1 += findings.unanswered.1;
        let desk = desk_of(Arc::new(store), cycle * 2 + 1)?;
        let mut keys: Vec<String> = client.sent().map(|(key, _)| key.to_string()).collect();
        keys.sort_unstable();
        let one = |_| usize::try_from(random.within(0, keys.len() as i64 - 1)).unwrap_or(0);
        let some: Vec<&String> = match keys.is_empty() {
            true => Vec::new(),
            false => (0..REPEATED).map(one).filter_map(|place| keys.get(place)).collect(),
        };
        let again = |key: &str| some.iter().any(|some| *some == key);
        killed.repeated += client.repeat(&desk, || 0, |key, sent| sent.acknowledged.is_none() || again(key))?;
        Ok(())
    }
}

/// A process that talks.
struct Worker {
    child: Child,
    lines: Receiver<Result<Line>>,
}

impl Worker {
    fn of(mut child: Child) -> Self {
        let (say, lines) = channel();
        if let Some(out) = child.stdout.take() {
            std::thread::spawn(move || {
                let mut out = BufReader::new(out);
                let mut text = Vec::new();
                // A line without an end is one that the client never got.
                while out.read_until(b'\n', &mut text).is_ok_and(|_| text.ends_with(b"\n")) {
                    let line = serde_json::from_slice(&text).context("a worker said what is no line");
                    if say.send(line).is_err() {
                        break;
                    }
                    text.clear();
                }
            });
        }
        Self { child, lines }
    }

    fn listen_until(&mut self, moment: &Moment, client: &mut Client) -> Result<usize> {
        let mut end = Instant::now() + Duration::from_secs(PATIENCE_S);
        let mut acknowledged = 0;
        loop {
            let line = match self.lines.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(line) => line?,
                Err(RecvTimeoutError::Timeout) => return Ok(acknowledged),
                Err(RecvTimeoutError::Disconnected) => bail!("the worker ended by itself: {}", self.child.wait()?),
            };
            match (&line, moment) {
                (Line::Ready, Moment::WhileOpening(after)) | (Line::Open, Moment::UnderLoad(after)) => {
                    end = Instant::now() + *after;
                }
                _ => {}
            }
            acknowledged += note(line, client)?;
            if matches!(moment, Moment::AtAnswer(count) if acknowledged >= *count) || Instant::now() >= end {
                return Ok(acknowledged);
            }
        }
    }

    fn kill(&mut self) -> Result<()> {
        self.child.kill().context("the worker cannot be killed")?;
        let status = self.child.wait()?;
        ensure!(!status.success(), "the worker ended by itself");
        Ok(())
    }

    fn hear_the_rest(&mut self, client: &mut Client) -> Result<usize> {
        let mut acknowledged = 0;
        while let Ok(line) = self.lines.recv() {
            acknowledged += note(line?, client)?;
        }
        Ok(acknowledged)
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Notes what was said. 1 for an acknowledgement.
fn note(line: Line, client: &mut Client) -> Result<usize> {
    let (key, reply) = match line {
        Line::Ready | Line::Open => return Ok(0),
        Line::Sent { key, action, now } => {
            client.sends(&key, &action, now, 0);
            return Ok(0);
        }
        Line::Done { key, answer } => (key, Reply::Done(answer)),
        Line::Refused { key, code } => (key, Reply::Refused(code)),
        // Others were always faster: nothing was done, and nothing acknowledged.
        Line::Failed { code, .. } if code == "busy" => return Ok(0),
        Line::Failed { key, code, message } => bail!("`{key}` failed with `{code}`: {message}"),
    };
    client.hears(&key, &reply, 0);
    Ok(1)
}
