//! Medians of rounds as a table.

use std::collections::BTreeMap;

/// What a round of one kind did.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Measured {
    pub(crate) operations: usize,
    pub(crate) elapsed_s: f64,
    pub(crate) clients: usize,
}

impl Measured {
    fn per_second(self) -> f64 {
        self.operations as f64 / self.elapsed_s
    }

    /// How long one client waits for one operation.
    fn latency_us(self) -> f64 {
        self.elapsed_s * 1e6 * self.clients as f64 / self.operations.max(1) as f64
    }
}

pub(crate) struct Table {
    store: &'static str,
    order: Vec<String>,
    rounds: BTreeMap<String, Vec<Measured>>,
    comparisons: Vec<(String, String, &'static str)>,
}

impl Table {
    pub(crate) fn new(store: &'static str) -> Self {
        Self { store, order: Vec::new(), rounds: BTreeMap::new(), comparisons: Vec::new() }
    }

    pub(crate) fn add(&mut self, label: &str, measured: Measured) {
        if !self.rounds.contains_key(label) {
            self.order.push(label.to_string());
        }
        self.rounds.entry(label.to_string()).or_default().push(measured);
    }

    pub(crate) fn compare(&mut self, label: &str, with: &str, what: &'static str) {
        self.comparisons.push((label.to_string(), with.to_string(), what));
    }

    /// Least, median and greatest rate.
    fn rates(&self, label: &str) -> (f64, f64, f64) {
        let mut rates: Vec<f64> = self.rounds[label].iter().map(|round| round.per_second()).collect();
        rates.sort_by(f64::total_cmp);
        (rates[0], rates[rates.len() / 2], rates[rates.len() - 1])
    }

    pub(crate) fn print(&self) {
        println!("\n| {} | median /s | least | greatest | us a client |\n| --- | --- | --- | --- | --- |", self.store);
        for label in &self.order {
            let (least, median, greatest) = self.rates(label);
            let mut latencies: Vec<f64> = self.rounds[label].iter().map(|round| round.latency_us()).collect();
            latencies.sort_by(f64::total_cmp);
            let latency = latencies[latencies.len() / 2];
            println!("| {label} | {median:.0} | {least:.0} | {greatest:.0} | {latency:.0} |");
        }
        println!();
        let measured = |label: &String| self.rounds.contains_key(label);
        for (label, with, what) in self.comparisons.iter().filter(|(label, with, _)| measured(label) && measured(with))
        {
            let (mine, other) = (self.rates(label).1, self.rates(with).1);
            let ratio = if what.starts_with("latency") { other / mine } else { mine / other };
            println!("{}, {label}: {ratio:.2} {what} ({with})", self.store);
        }
    }
}
