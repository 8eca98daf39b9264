//! Recorded decisions, run again: all of them on all cores, or some by chance. Must not know the books.

use std::num::NonZero;
use std::panic::resume_unwind;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::thread;

use giftcard_ledger::model::Operation;
use schemars::JsonSchema;
use serde::Serialize;

use super::{Finding, Findings, Progress, Stage, VerifyReport, numbered};
use crate::desk::decision::until_not_busy;
use crate::desk::{Desk, DeskError, Rerun, rerun};

/// Operations that wait for a core.
const WAITING_MAX: usize = 64;

/// What came of running decisions again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "DecisionCounts")]
pub struct DecisionCounts {
    /// Recorded ones, run or not.
    pub recorded: u64,
    /// The same came out, with the same fuel where the engine is the same.
    pub same: u64,
    /// Personal fields were erased, or a component is not loaded.
    pub not_replayable: u64,
    /// Something else came out.
    pub different: u64,
}

impl DecisionCounts {
    fn add(&mut self, other: Self) {
        self.recorded += other.recorded;
        self.same += other.same;
        self.not_replayable += other.not_replayable;
        self.different += other.different;
    }
}

/// What is done with operations that have decisions.
pub(super) trait Reruns {
    fn operation(&mut self, sequence: i64, operation: Operation);

    /// Waits until all is done.
    fn finish(&mut self, findings: &mut Findings) -> Result<DecisionCounts, DeskError>;
}

/// What one thread found.
#[derive(Default)]
struct Outcome {
    counts: DecisionCounts,
    findings: Findings,
}

fn run(desk: &Desk, operation: &Operation, outcome: &mut Outcome) -> Result<(), DeskError> {
    until_not_busy(|| rerun(desk, operation)).map(|found| count(operation, found, outcome))
}

fn count(operation: &Operation, found: Rerun, outcome: &mut Outcome) {
    match found {
        Rerun::Same => outcome.counts.same += 1,
        Rerun::NotReplayable(_) => outcome.counts.not_replayable += 1,
        Rerun::NoDecision => {}
        Rerun::Differs(why) => {
            outcome.counts.different += 1;
            let message = format!("the decision of operation `{}` does not come out again: {why}", operation.key.key);
            outcome.findings.add(Finding::new("decision-differs", message).of(&operation.key));
        }
    }
}

/// Hands operations to all cores.
struct Cores<'scope> {
    sender: Option<SyncSender<Operation>>,
    threads: Vec<thread::ScopedJoinHandle<'scope, Result<Outcome, DeskError>>>,
    recorded: u64,
}

impl Reruns for Cores<'_> {
    fn operation(&mut self, _: i64, operation: Operation) {
        self.recorded += 1;
        if let Some(sender) = &self.sender {
            // Nobody receives once every thread has failed, which is told at the end.
            let _ = sender.send(operation);
        }
    }

    fn finish(&mut self, findings: &mut Findings) -> Result<DecisionCounts, DeskError> {
        self.sender = None;
        let mut counts = DecisionCounts { recorded: self.recorded, ..DecisionCounts::default() };
        for thread in self.threads.drain(..) {
            let outcome = thread.join().unwrap_or_else(|panic| resume_unwind(panic))?;
            counts.add(outcome.counts);
            findings.total += outcome.findings.total - outcome.findings.told.len() as u64;
            outcome.findings.told.into_iter().for_each(|finding| findings.add(finding));
        }
        Ok(counts)
    }
}

/// Does `work` with all cores at hand.
pub(super) fn on_all_cores<T>(
    desk: &Desk,
    work: impl FnOnce(&mut dyn Reruns) -> Result<T, DeskError>,
) -> Result<T, DeskError> {
    let (sender, receiver) = sync_channel(WAITING_MAX);
    let receiver = Mutex::new(receiver);
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    thread::scope(|scope| {
        let receiver = &receiver;
        let threads = (0..cores).map(|_| scope.spawn(move || serve(desk, receiver))).collect();
        // Dropped at the end whatever happens, so that the threads end too.
        let mut cores = Cores { sender: Some(sender), threads, recorded: 0 };
        work(&mut cores)
    })
}

fn serve(desk: &Desk, receiver: &Mutex<Receiver<Operation>>) -> Result<Outcome, DeskError> {
    let mut outcome = Outcome::default();
    let mut failed = None;
    loop {
        let next = receiver.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(operation) = next else { break };
        // After a failure the rest is taken and thrown away: whoever sends must not wait for ever.
        if failed.is_none() {
            failed = run(desk, &operation, &mut outcome).err();
        }
    }
    failed.map_or(Ok(outcome), Err)
}

/// Some decisions by chance: each of all is as likely as any other.
pub(super) struct Sample {
    size: usize,
    seed: u64,
    recorded: u64,
    chosen: Vec<i64>,
}

impl Sample {
    pub(super) fn new(size: usize, seed: u64) -> Self {
        Self { size, seed, recorded: 0, chosen: Vec::new() }
    }

    /// Splitmix64; no secret depends on it.
    fn random(&mut self) -> u64 {
        self.seed = self.seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let state = (self.seed ^ self.seed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let state = (state ^ state >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        state ^ state >> 31
    }
}

impl Reruns for Sample {
    fn operation(&mut self, sequence: i64, _: Operation) {
        self.recorded += 1;
        if self.chosen.len() < self.size {
            self.chosen.push(sequence);
            return;
        }
        let place = usize::try_from(self.random() % self.recorded).unwrap_or(usize::MAX);
        if let Some(chosen) = self.chosen.get_mut(place) {
            *chosen = sequence;
        }
    }

    fn finish(&mut self, _: &mut Findings) -> Result<DecisionCounts, DeskError> {
        Ok(DecisionCounts { recorded: self.recorded, ..DecisionCounts::default() })
    }
}

/// Runs the sample, and adds what came of it to the report.
pub(super) fn run_sample(
    desk: &Desk,
    sample: &Sample,
    report: &mut VerifyReport,
    progress: &mut dyn FnMut(Progress),
) -> Result<(), DeskError> {
    let mut findings = Findings { told: std::mem::take(&mut report.findings), total: report.findings_total };
    let total = Some(sample.chosen.len() as u64);
    let counts = on_all_cores(desk, |reruns| {
        for (done, sequence) in sample.chosen.iter().enumerate() {
            if let Some(found) = numbered(desk.store(), *sequence)? {
                reruns.operation(*sequence, found.operation);
            }
            progress(Progress { stage: Stage::Decisions, done: done as u64 + 1, total });
        }
        reruns.finish(&mut findings)
    })?;
    report.decisions = DecisionCounts { recorded: sample.recorded, ..counts };
    report.sound = findings.total == 0;
    (report.findings, report.findings_total) = (findings.told, findings.total);
    Ok(())
}
