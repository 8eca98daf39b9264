//! Moving the write-ahead log into the file beside those who commit.

use std::time::Duration;

use super::*;

/// Pages from which the log is moved. A commit does it itself from [`LOG_TIMES_MAX`] times as many.
const LOG_PAGES: u32 = 60;

/// What is given to the thread that moves the log, for each commit meanwhile.
const PAUSE: Duration = Duration::from_millis(200);

/// A store that issues cards.
struct Issuing {
    store: SqliteStore,
    cards: i64,
}

impl Issuing {
    fn new(file: &Path) -> Self {
        let store = SqliteStore::open(file, &SqliteOptions { log_pages: LOG_PAGES, ..creating() }).unwrap();
        Self { store, cards: 0 }
    }

    /// Issues a card. Returns how many pages are in the log then.
    fn issue(&mut self) -> u32 {
        self.cards += 1;
        commit(&self.store, self.cards);
        log::committed_pages(&self.store.writer.lock().unwrap()).unwrap().unwrap()
    }

    /// Issues cards until the log begins again.
    fn issue_until_log_begins(&mut self, before: u32) {
        let mut before = before;
        loop {
            let now = self.issue();
            if now < before {
                break;
            }
            assert!(now < before.max(LOG_TIMES_MAX * LOG_PAGES), "the log was not moved beside the commits");
            before = now;
            if now >= LOG_PAGES {
                std::thread::sleep(PAUSE);
            }
        }
        assert_eq!(accounts(&self.store), (1..=self.cards).collect::<Vec<_>>());
    }
}

#[test]
fn the_log_is_moved_beside_commits_and_begins_again() {
    let (_folder, file) = folder_and_file();
    let mut issuing = Issuing::new(&file);
    issuing.issue_until_log_begins(0);
    issuing.issue_until_log_begins(0);
}

#[test]
fn a_log_that_somebody_reads_from_grows_and_begins_again_later() {
    let (_folder, file) = folder_and_file();
    let mut issuing = Issuing::new(&file);
    issuing.issue();
    let reader = Connection::open(&file).unwrap();
    reader.execute_batch("BEGIN; SELECT count(*) FROM account").unwrap();
    let mut pages = 0;
    while pages < 2 * LOG_PAGES {
        let now = issuing.issue();
        assert!(now > pages, "it began again under somebody who reads from it");
        pages = now;
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(reader.query_row("SELECT count(*) FROM account", [], |row| row.get::<_, i64>(0)).unwrap(), 1);
    reader.execute_batch("COMMIT").unwrap();
    issuing.issue_until_log_begins(pages);
}
