//! What a table of texts would save against texts as they are, which is what the contract has: the same rows in three shapes, each
//! call in a fresh instance. `cargo xtask bench-texts`. Speed is printed and never asserted.
#![allow(clippy::print_stdout, clippy::unwrap_used, clippy::float_arithmetic, missing_docs, reason = "a measurement")]

use std::collections::HashMap;
use std::hint::black_box;
use std::time::Instant;

use giftcard_tests::harness::component_bytes;
use wasmtime::component::{Component, InstancePre, Linker};
use wasmtime::{Config, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, Store};

const SIZES: [usize; 4] = [1, 20, 100, 200];
const ROUNDS: usize = 15;
const CALLS: usize = 300;

/// Five texts: a SKU and a name of its own, two categories out of 20, a tag out of 5.
#[derive(Clone)]
struct Row {
    sku: String,
    name: String,
    categories: Vec<String>,
    tags: Vec<String>,
}

fn rows(count: usize) -> Vec<Row> {
    let category = |number: usize| format!("category-{}", number % 20);
    let row = |number: usize| Row {
        sku: format!("SKU-{number:06}"),
        name: format!("A product with the number {number}"),
        categories: vec![category(number), category(number * 7 + 1)],
        tags: vec![format!("tag-{}", number % 5)],
    };
    (0..count).map(row).collect()
}

mod bindings {
    //! Generated from the component's own contract.
    #![allow(unreachable_pub, unsafe_code, unused_variables, clippy::all, reason = "generated")]

    wasmtime::component::bindgen!({
        path: "guests/texts/wit",
        world: "texts",
        ownership: Borrowing { duplicate_if_necessary: true },
    });
}

/// The table, and places in it.
struct Table {
    texts: Vec<String>,
    rows: Vec<[Vec<u32>; 4]>,
}

/// Making it is part of a call: an order comes with texts as they are.
fn table(rows: &[Row]) -> Table {
    let (mut texts, mut places) = (Vec::new(), HashMap::new());
    let mut place = |text: &String| {
        *places.entry(text.clone()).or_insert_with(|| {
            texts.push(text.clone());
            u32::try_from(texts.len() - 1).unwrap()
        })
    };
    let mut all = |texts: &[String]| texts.iter().map(&mut place).collect::<Vec<u32>>();
    let rows = rows
        .iter()
        .map(|row| {
            let one = std::slice::from_ref;
            [all(one(&row.sku)), all(one(&row.name)), all(&row.categories), all(&row.tags)]
        })
        .collect();
    Table { texts, rows }
}

impl Table {
    fn rows(&self) -> Vec<bindings::IndexedRow<'_>> {
        self.rows
            .iter()
            .map(|[sku, name, categories, tags]| bindings::IndexedRow {
                sku: sku.first().copied(),
                name: name.first().copied(),
                categories,
                tags,
            })
            .collect()
    }
}

struct Bench {
    engine: Engine,
    pre: InstancePre<()>,
}

impl Bench {
    fn new() -> Self {
        let mut config = Config::new();
        let mut pool = PoolingAllocationConfig::new();
        pool.total_component_instances(4).total_memories(4).total_tables(4).linear_memory_keep_resident(2 << 20);
        config.consume_fuel(true).allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
        let engine = Engine::new(&config).unwrap();
        let component = Component::new(&engine, component_bytes("tests/texts")).unwrap();
        let pre = Linker::new(&engine).instantiate_pre(&component).unwrap();
        Self { engine, pre }
    }

    fn call(&self, ask: impl FnOnce(&bindings::Texts, &mut Store<()>) -> u32) -> u32 {
        let mut store = Store::new(&self.engine, ());
        store.set_fuel(50_000_000).unwrap();
        let instance = self.pre.instantiate(&mut store).unwrap();
        let texts = bindings::Texts::new(&mut store, &instance).unwrap();
        ask(&texts, &mut store)
    }

    fn strings(&self, rows: &[Row]) -> u32 {
        let lists: Vec<[Vec<&str>; 2]> = rows
            .iter()
            .map(|row| [&row.categories, &row.tags].map(|texts| texts.iter().map(|t| t.as_str()).collect()))
            .collect();
        let params: Vec<bindings::Row<'_>> = rows
            .iter()
            .zip(&lists)
            .map(|(row, [categories, tags])| bindings::Row {
                sku: Some(&row.sku),
                name: Some(&row.name),
                categories,
                tags,
            })
            .collect();
        self.call(|texts, store| texts.call_strings(store, &params, "category-3").unwrap())
    }

    fn table(&self, rows: &[Row]) -> u32 {
        let table = table(rows);
        let listed: Vec<&str> = table.texts.iter().map(String::as_str).collect();
        let rows = table.rows();
        self.call(|texts, store| texts.call_table(store, &listed, &rows, "category-3").unwrap())
    }

    fn joined(&self, rows: &[Row]) -> u32 {
        let table = table(rows);
        let mut end = 0;
        let ends: Vec<u32> = table
            .texts
            .iter()
            .map(|text| {
                end += u32::try_from(text.len()).unwrap();
                end
            })
            .collect();
        let (text, rows) = (table.texts.concat(), table.rows());
        self.call(|texts, store| texts.call_joined(store, &text, &ends, &rows, "category-3").unwrap())
    }
}

fn main() {
    let bench = Bench::new();
    type Ask = fn(&Bench, &[Row]) -> u32;
    let shapes: [(&str, Ask); 3] =
        [("strings", Bench::strings), ("table of strings", Bench::table), ("table in one text", Bench::joined)];
    println!("us a call, medians of {ROUNDS} rounds{}", SIZES.map(|size| format!("{size:>10}")).concat());
    let mut figures = vec![SIZES.map(|_| Vec::new()); shapes.len()];
    for _ in 0..ROUNDS {
        for ((_, ask), figures) in shapes.iter().zip(&mut figures) {
            for (size, figures) in SIZES.iter().zip(figures) {
                let rows = rows(*size);
                assert_eq!(ask(&bench, &rows), Bench::strings(&bench, &rows));
                let begun = Instant::now();
                for _ in 0..CALLS {
                    black_box(ask(&bench, black_box(&rows)));
                }
                figures.push(begun.elapsed().as_secs_f64() * 1e6 / CALLS as f64);
            }
        }
    }
    for ((name, _), figures) in shapes.iter().zip(&mut figures) {
        let cells = figures.iter_mut().map(|figures| {
            figures.sort_by(f64::total_cmp);
            format!("{:>10.1}", figures[figures.len() / 2])
        });
        println!("{name:<32}{}", cells.collect::<String>());
    }
}
