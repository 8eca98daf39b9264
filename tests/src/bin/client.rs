//! A client process of the tests with several processes: see `giftcard_tests::concurrency::fleet`.

fn main() -> anyhow::Result<()> {
    giftcard_tests::concurrency::fleet::serve()
}
