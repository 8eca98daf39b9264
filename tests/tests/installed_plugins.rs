//! Plugins that are installed into a ledger, on both stores: what decides after each change, for every process and for what
//! is under way, and what is refused.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use giftcard::desk::{
    Changing, Installing, OperationVerdict, PayKind, PluginSignature, Set, SettingUp, component_digest,
};
use giftcard::input::{ConditionInput, ProgrammeDocument, SiteDocument};
use giftcard::output::{InstalledOutput, ProgrammeOutput, SetupProposalOutput};
use giftcard::secrets::PluginSigner;
use giftcard::{Desk, DeskError};
use giftcard_ledger::model::OperationKey;
use giftcard_ledger::store::Want;
use giftcard_tests::bank::{self, SITE};
use giftcard_tests::both::Fresh;
use giftcard_tests::harness::component_bytes;
use giftcard_tests::shop::{Card, Shop, hold_of, payment, read, refused};
use serde_json::{Value, json};

/// Of one product: the first version says no, by default it wants three. The second says no to orders that do not go to
/// the United States.
const ID: &str = "welcome-gift";

fn version(number: u8) -> Vec<u8> {
    component_bytes(&format!("tests/welcome-gift-v{number}"))
}

fn installing<'a>() -> Installing<'a> {
    Installing { file: "a", signature: None, grant: false, actor: Some("anna"), now: bank::NOW }
}

fn by(actor: &str) -> Changing<'_> {
    Changing { site: SITE, id: ID, actor: Some(actor), now: bank::NOW }
}

fn of(key: &OperationKey) -> Want {
    Want { operation: Some(key.clone()), ..Want::default() }
}

fn install(desk: &Desk, number: u8) -> InstalledOutput {
    desk.install_plugin(SITE, &version(number), &installing()).unwrap()
}

/// A shop with both versions installed, the first of which decides, and a programme that binds it.
fn shop(fresh: &Fresh) -> Shop {
    let shop = Shop::open(fresh);
    install(&shop.desk, 1);
    install(&shop.desk, 2);
    shop.desk.activate_plugin(&by("anna"), Some("1.0.0")).unwrap();
    programme(&shop, &json!([{ "plugin": ID }]));
    shop
}

fn programme(shop: &Shop, conditions: &Value) {
    let document = json!({ "code_name": "welcome", "name": "Welcome", "conditions": conditions });
    shop.desk.set_programme(SITE, &read(document)).unwrap();
}

fn person(actor: &str) -> SettingUp<'_> {
    SettingUp { actor: Some(actor), now: bank::NOW }
}

fn done<T>(set: Set<T>) -> T {
    match set {
        Set::Done(answer) => answer,
        Set::Proposed(proposal) => panic!("{proposal:?}"),
    }
}

fn proposed<T>(set: Set<T>) -> SetupProposalOutput {
    match set {
        Set::Done(_) => panic!("one person alone did it"),
        Set::Proposed(proposal) => proposal,
    }
}

fn bind(desk: &Desk, condition: &ConditionInput) -> Result<ProgrammeOutput, DeskError> {
    desk.bind_plugin(SITE, "welcome", condition, person("anna")).map(done)
}

fn unbind(desk: &Desk, plugin: &str) -> Result<ProgrammeOutput, DeskError> {
    desk.unbind_plugin(SITE, "welcome", plugin, person("anna")).map(done)
}

fn card(shop: &Shop) -> Card {
    shop.cards(json!({ "value": "100.00", "programme": "welcome" })).remove(0)
}

/// An order of one product that goes to a country.
fn order(id: &str, country: &str, card: &Card) -> Value {
    let mut document = payment(id, "1.00", &[card.entry()]);
    document["order"]["lines"] = json!([{ "total": "1.00" }]);
    document["order"]["ship_to"] = json!({ "country": country });
    document
}

/// What is decided about an order of one product: `used`, or the code of the refusal.
fn decided(desk: &Desk, id: &str, country: &str, card: &Card) -> String {
    let mut document = order(id, country, card);
    document["operation"] = "not-used".into();
    let quote = desk.quote(&read(document), bank::NOW, false).unwrap();
    quote.cards[0].code.clone().unwrap_or_else(|| "used".to_string())
}

fn decision_of(shop: &Shop, key: &str) -> OperationVerdict {
    let key = OperationKey { site: SITE.to_string(), key: key.to_string() };
    shop.desk.verify_operation(&key).unwrap().unwrap()
}

fn told<T: std::fmt::Debug>(result: Result<T, DeskError>) -> (String, String) {
    let error = result.unwrap_err();
    (error.code().to_string(), error.to_string())
}

/// Every process sees what one installs and activates, at once, and what was decided can be decided again for ever.
fn versions_are_activated_and_rolled_back(fresh: &Fresh) {
    let shop = shop(fresh);
    let other = Shop::beside(fresh);
    let card = card(&shop);
    assert_eq!(decided(&other.desk, "a", "US", &card), "too-few-products");
    assert_eq!(refused(shop.pay(PayKind::Redeem, order("a", "US", &card))), "no-card-usable");
    // The second is newest, and the one that is meant by its version alone says so from the beginning.
    let plugin = other.desk.activate_plugin(&by("bert"), None).unwrap();
    assert_eq!((plugin.active.as_deref(), plugin.versions.len()), (Some("2.0.0"), 2));
    for desk in [&shop.desk, &other.desk] {
        assert_eq!(decided(desk, "a", "US", &card), "used");
        assert_eq!(decided(desk, "a", "DE", &card), "shipped-elsewhere");
    }
    let mut first = order("a", "US", &card);
    first["operation"] = "first".into();
    shop.pay(PayKind::Redeem, first).unwrap();
    let plugin = shop.desk.roll_back_plugin(&by("bert")).unwrap();
    assert_eq!(plugin.active.as_deref(), Some("1.0.0"));
    assert_eq!(decided(&other.desk, "b", "US", &card), "too-few-products");
    // Decided by the second, and again by it.
    let verdict = decision_of(&other, "first");
    assert_eq!((verdict.sound, verdict.decision), (true, "same"), "{:?}", verdict.findings);
    // A process that begins now, too.
    let third = Shop::beside(fresh);
    assert_eq!(decision_of(&third, "first").decision, "same");
    assert_eq!(decided(&third.desk, "b", "US", &card), "too-few-products");
    // Before the first there was nothing, and what the programme binds would be nothing.
    let (code, message) = told(shop.desk.roll_back_plugin(&by("bert")));
    assert_eq!(code, "settings-do-not-fit");
    assert!(message.contains("programme `welcome`") && message.contains("installed and not active"), "{message}");
    shop.check_books();
    let events: Vec<&str> = plugin.events.iter().map(|event| event.what.split(' ').next().unwrap()).collect();
    assert_eq!(events, ["installed", "installed", "activated", "activated", "rolled"]);
}

/// The same component with other bytes: a section that nobody reads.
fn other_bytes(mut component: Vec<u8>) -> Vec<u8> {
    component.extend([0, 4, 3, b'a', b'b', b'c']);
    component
}

/// A name with a version never comes to mean other bytes without anybody's activating them.
fn a_version_means_one_component(fresh: &Fresh) {
    let shop = Shop::open(fresh);
    let install = |bytes: &[u8]| shop.desk.install_plugin(SITE, bytes, &installing());
    let (code, message) = told(install(&other_bytes(component_bytes("ship-to"))));
    assert_eq!((code.as_str(), message.contains("comes with the program")), ("same-version-twice", true), "{message}");
    // The very bytes that come with the program may be installed.
    install(&component_bytes("ship-to")).unwrap();
    install(&version(1)).unwrap();
    shop.desk.remove_plugin(&by("a"), None).unwrap();
    install(&other_bytes(version(1))).unwrap();
    let (code, _) = told(install(&version(1)));
    assert_eq!(code, "same-version-twice");
    // One that is bound by the beginning of its digest is not removed.
    let digest = component_digest(&other_bytes(version(1)));
    programme(&shop, &json!([{ "plugin": format!("{ID}@{}", &digest[..10]) }]));
    assert_eq!(told(shop.desk.remove_plugin(&by("a"), Some("1.0.0"))).0, "plugin-in-use");
}

/// Bytes that were damaged in the database are not run, and installing them once more mends them.
fn damaged_bytes_are_told_and_mended(fresh: &Fresh) {
    let shop = shop(fresh);
    let card = card(&shop);
    let digest = giftcard_ledger::chain::digest_bytes(&version(1));
    shop.desk.store().keep_component(digest, b"damaged").unwrap();
    let other = Shop::beside(fresh);
    let mut document = order("a", "US", &card);
    document["operation"] = "not-used".into();
    let error = other.desk.quote(&read(document), bank::NOW, false).unwrap_err();
    assert_eq!(error.code(), "programme-unusable");
    assert!(error.to_string().contains("other bytes"), "{error}");
    let report = shop.desk.verify(&giftcard::desk::VerifyOptions::default(), &mut |_| {}).unwrap();
    let told: Vec<&str> = report.findings.iter().map(|finding| finding.message.as_str()).collect();
    assert_eq!((report.sound, told.len(), report.components), (false, 1, 2), "{told:?}");
    assert!(told[0].contains("`welcome-gift` 1.0.0") && told[0].contains("other bytes"), "{told:?}");
    install(&shop.desk, 1);
    shop.check_books();
    assert_eq!(decided(&Shop::beside(fresh).desk, "a", "US", &card), "too-few-products");
}

fn what_is_installed_is_checked(fresh: &Fresh) {
    let shop = Shop::open(fresh);
    let install = |bytes: &[u8]| told(shop.desk.install_plugin(SITE, bytes, &installing()));
    assert_eq!(install(b"no component").0, "plugin-not-loaded");
    assert_eq!(install(&component_bytes("tests/undeclared-import")).0, "plugin-not-loaded");
    let (code, _) = told(shop.desk.install_plugin("nowhere", &version(1), &installing()));
    assert_eq!(code, "invalid-value");
    assert!(shop.desk.plugins(SITE).unwrap().is_empty());
    // The same bytes twice are one version.
    self::install(&shop.desk, 1);
    assert_eq!(self::install(&shop.desk, 1).versions.len(), 1);
    // Other bytes that call themselves the same are refused.
    let other = other_bytes(version(1));
    let (code, message) = install(&other);
    assert_eq!(code, "same-version-twice", "{message}");
    assert!(message.contains("`welcome-gift` 1.0.0"), "{message}");
    for (result, expected) in [
        (shop.desk.activate_plugin(&by("a"), Some("3.0.0")), "version-not-found"),
        (shop.desk.activate_plugin(&Changing { id: "none", ..by("a") }, None), "plugin-not-found"),
        (shop.desk.activate_plugin(&Changing { site: "nowhere", ..by("a") }, None), "invalid-value"),
        (shop.desk.roll_back_plugin(&by("a")), "nothing-before"),
        (shop.desk.switch_plugin(&by("a"), false), "not-active"),
        (shop.desk.end_canary(&by("a")), "no-canary"),
        (shop.desk.end_shadow(&by("a")), "no-shadow"),
        (shop.desk.approve_plugin(&by("a"), "1.0.0", None), "nothing-proposed"),
        (shop.desk.withdraw_plugin(&by("a")), "nothing-proposed"),
        (shop.desk.canary_plugin(&by("a"), None, 0), "invalid-value"),
        (shop.desk.canary_plugin(&by("a"), None, 10_000), "invalid-value"),
    ] {
        assert_eq!(told(result).0, expected);
    }
}

/// A version whose settings the programmes do not have is not activated, and what is bound can stay with a version.
fn settings_must_fit_before_a_version_decides(fresh: &Fresh) {
    let shop = shop(fresh);
    let card = card(&shop);
    let condition = |plugin: &str, settings: Value| read(json!({ "plugin": plugin, "settings": settings }));
    let bound = bind(&shop.desk, &condition(ID, json!({ "products": 1 }))).unwrap();
    assert_eq!(bound.programme.conditions.len(), 1);
    assert_eq!(decided(&shop.desk, "a", "DE", &card), "used");
    for result in [
        shop.desk.activate_plugin(&by("a"), Some("2.0.0")),
        shop.desk.canary_plugin(&by("a"), Some("2.0.0"), 100),
        shop.desk.shadow_plugin(&by("a"), Some("2.0.0")),
    ] {
        let (code, message) = told(result);
        assert_eq!(code, "settings-do-not-fit");
        assert!(message.contains("`conditions[0].settings.products`"), "{message}");
    }
    let error = bind(&shop.desk, &condition(ID, json!({ "products": 0 }))).unwrap_err();
    assert!(error.to_string().contains("`conditions[0].settings.products`"), "{error}");
    let error = bind(&shop.desk, &condition("other", json!({}))).unwrap_err();
    assert_eq!(error.code(), "unknown-plugin");
    // Both at once, one of them by its version.
    bind(&shop.desk, &condition("welcome-gift@2.0.0", json!({}))).unwrap();
    assert_eq!(decided(&shop.desk, "a", "DE", &card), "shipped-elsewhere");
    let (code, message) = told(shop.desk.remove_plugin(&by("a"), Some("2.0.0")));
    assert_eq!((code.as_str(), message.contains("programme `welcome`")), ("plugin-in-use", true), "{message}");
    assert_eq!(told(shop.desk.remove_plugin(&by("a"), Some("1.0.0"))).0, "plugin-in-use");
    unbind(&shop.desk, "welcome-gift@2.0.0").unwrap();
    assert_eq!(decided(&shop.desk, "a", "DE", &card), "used");
    shop.pay(PayKind::Redeem, order("a", "DE", &card)).unwrap();
    assert_eq!(shop.desk.remove_plugin(&by("a"), Some("2.0.0")).unwrap().versions.len(), 1);
    assert_eq!(told(shop.desk.activate_plugin(&by("a"), Some("2.0.0"))).0, "version-not-found");
    assert_eq!(unbind(&shop.desk, "other").unwrap_err().code(), "not-bound");
    shop.check_books();
}

/// Open holds are captured whatever becomes of the plugin, and its bytes stay.
fn a_plugin_is_switched_off_and_removed(fresh: &Fresh) {
    let shop = shop(fresh);
    let card = card(&shop);
    shop.desk.activate_plugin(&by("a"), None).unwrap();
    let hold = shop.pay(PayKind::Hold, order("a", "US", &card)).unwrap();
    assert!(shop.desk.switch_plugin(&by("a"), false).unwrap().off);
    assert_eq!(decided(&shop.desk, "b", "US", &card), "condition-failed");
    let quote = shop.desk.quote(
        &read({
            let mut document = order("b", "US", &card);
            document["operation"] = "not-used".into();
            document
        }),
        bank::NOW,
        false,
    );
    let failure = quote.unwrap().conditions[0].failure.clone().unwrap();
    assert_eq!(failure.code, "plugin-off");
    shop.capture(&hold_of(&hold), "1.00").unwrap();
    // One that is passed over when it fails lets the card pay.
    programme(&shop, &json!([{ "plugin": ID, "on_failure": "ignore" }]));
    let mut passed = order("c", "DE", &card);
    passed["operation"] = "while-off".into();
    shop.pay(PayKind::Redeem, passed).unwrap();
    assert!(!shop.desk.switch_plugin(&by("a"), true).unwrap().off);
    assert_eq!(decided(&shop.desk, "d", "DE", &card), "shipped-elsewhere");
    assert_eq!(decision_of(&shop, "while-off").decision, "same", "it was off then, and is so when it is run again");
    // One that comes with the program can be switched off, too.
    programme(&shop, &json!([{ "plugin": "ship-to", "settings": { "countries": ["DE"] } }]));
    assert_eq!(decided(&shop.desk, "e", "DE", &card), "used");
    let standard = Changing { id: "ship-to", ..by("a") };
    assert!(shop.desk.switch_plugin(&standard, false).unwrap().built_in);
    assert_eq!(decided(&shop.desk, "e", "DE", &card), "condition-failed");
    shop.desk.switch_plugin(&standard, true).unwrap();
    assert_eq!(decided(&shop.desk, "e", "DE", &card), "used");
    shop.desk.roll_back_plugin(&by("a")).unwrap();
    shop.desk.roll_back_plugin(&by("a")).unwrap();
    let removed = shop.desk.remove_plugin(&by("a"), None).unwrap();
    assert!(removed.versions.is_empty() && shop.desk.plugins(SITE).unwrap().iter().all(|plugin| plugin.id != ID));
    // Also for a process that never had it loaded.
    let later = Shop::beside(fresh);
    assert_eq!(decision_of(&later, "while-off").decision, "same");
    later.check_books();
    // Installed once more, it is listed again.
    assert_eq!(install(&shop.desk, 1).versions.len(), 1);
}

/// Which orders are in the share depends on their ids, whichever process decides.
fn a_share_of_the_orders_is_decided_by_another_version(fresh: &Fresh) {
    let shop = shop(fresh);
    let other = Shop::beside(fresh);
    let card = card(&shop);
    let used = |desk: &Desk| -> Vec<usize> {
        (0..200).filter(|number| decided(desk, &format!("order-{number}"), "US", &card) == "used").collect()
    };
    let plugin = shop.desk.canary_plugin(&by("a"), Some("2.0.0"), 1_000).unwrap();
    assert_eq!((plugin.canary.as_deref(), plugin.canary_share.as_deref()), (Some("2.0.0"), Some("10%")));
    let few = used(&shop.desk);
    assert!((5..=40).contains(&few.len()), "{} of 200 are a tenth, more or less", few.len());
    assert_eq!(used(&other.desk), few);
    other.desk.canary_plugin(&by("a"), Some("2.0.0"), 5_000).unwrap();
    let half = used(&shop.desk);
    assert!((70..=130).contains(&half.len()), "{} of 200 are a half, more or less", half.len());
    assert!(few.iter().all(|number| half.contains(number)), "who was in the share stays there");
    for (place, number) in [(0, half[0]), (1, (0..200).find(|number| !half.contains(number)).unwrap())] {
        let mut document = order(&format!("order-{number}"), "US", &card);
        document["operation"] = format!("paid-{place}").into();
        assert_eq!(shop.pay(PayKind::Redeem, document).is_ok(), place == 0);
    }
    // What is bound by its version is not in any share, and what is bound by its id has to suit both.
    programme(&shop, &json!([{ "plugin": "welcome-gift@1.0.0" }]));
    assert_eq!(used(&other.desk), Vec::<usize>::new());
    programme(&shop, &json!([{ "plugin": ID }]));
    let condition = read(json!({ "plugin": ID, "settings": { "products": 1 } }));
    let error = bind(&shop.desk, &condition).unwrap_err();
    assert_eq!(error.code(), "settings-do-not-fit");
    assert!(error.to_string().contains("decides for a share of the orders"), "{error}");
    assert_eq!(used(&other.desk), half);
    // To activate it for all ends the share.
    assert_eq!(shop.desk.activate_plugin(&by("a"), Some("2.0.0")).unwrap().canary, None);
    assert_eq!(used(&other.desk).len(), 200);
    assert_eq!(decision_of(&other, "paid-0").decision, "same");
    shop.check_books();
}

/// What looks on changes nothing, and what it would have decided otherwise is kept, of refused orders too.
fn a_version_looks_on(fresh: &Fresh) {
    let shop = shop(fresh);
    let card = card(&shop);
    let plugin = shop.desk.shadow_plugin(&by("a"), Some("2.0.0")).unwrap();
    assert_eq!((plugin.shadow.as_deref(), plugin.active.as_deref()), (Some("2.0.0"), Some("1.0.0")));
    // It is the first version that decides: it wants three products.
    let three = |id: &str, country: &str| {
        let mut document = order(id, country, &card);
        document["order"]["lines"] = json!([{ "total": "0.20" }, { "total": "0.30" }, { "total": "0.50" }]);
        document
    };
    shop.pay(PayKind::Redeem, three("both-accept", "US")).unwrap();
    shop.pay(PayKind::Redeem, three("first-accepts", "DE")).unwrap();
    assert_eq!(refused(shop.pay(PayKind::Redeem, order("second-accepts", "US", &card))), "no-card-usable");
    assert_eq!(refused(shop.pay(PayKind::Redeem, order("none-accepts", "DE", &card))), "no-card-usable");
    // Cards that the plugin is not bound to do not concern it, nor does a repetition.
    let plain = shop.card("5.00");
    shop.redeem("other", "1.00", &[plain.entry()]).unwrap();
    let mut again = three("again", "US");
    again["operation"] = "again".into();
    for _ in 0..3 {
        shop.pay(PayKind::Redeem, again.clone()).unwrap();
    }
    let digest = component_digest(&version(2));
    let report = shop.desk.shadow_report(SITE, ID, &digest).unwrap();
    let counts = &report.counts;
    assert_eq!((counts.decisions, counts.same, counts.different), (5, 2, 3), "{report:?}");
    assert_eq!((counts.failed, counts.skipped), (0, 0));
    let told = |order: &str| {
        let found = report.differences.iter().find(|difference| difference.order == order)?;
        Some((found.cards[0].before.as_str(), found.cards[0].after.as_str(), found.cards[0].paid_after))
    };
    assert_eq!(told("first-accepts"), Some(("used", "shipped-elsewhere", 0)));
    assert_eq!(told("second-accepts"), Some(("too-few-products", "used", 100)));
    assert_eq!(told("none-accepts"), Some(("too-few-products", "shipped-elsewhere", 0)));
    assert_eq!(told("both-accept"), None);
    // Another process adds to it; what it has seen is written at the latest when it ends.
    let other = Shop::beside(fresh);
    other.pay(PayKind::Redeem, three("there", "DE")).unwrap();
    drop(other);
    let report = shop.desk.shadow_report(SITE, ID, &digest).unwrap();
    assert_eq!((report.counts.decisions, report.differences.len()), (6, 4));
    assert_eq!(shop.desk.end_shadow(&by("a")).unwrap().shadow, None);
    shop.pay(PayKind::Redeem, three("later", "DE")).unwrap();
    assert_eq!(shop.desk.shadow_report(SITE, ID, &digest).unwrap().counts.decisions, 6);
    shop.check_books();
}

fn a_site_can_demand_signatures(fresh: &Fresh) {
    let (ours, others) = (signer(1), signer(2));
    let public = |signer: &PluginSigner| PluginSignature::by(signer, b"").key;
    let site = |keys: &[String], required: bool| {
        let policy = json!({ "trusted_keys": keys, "require_signature": required });
        json!({ "id": SITE, "currency": "USD", "plugins": policy })
    };
    let shop = Shop::of(fresh, &site(&[public(&ours)], true));
    let signed = |number: u8, signature: Option<PluginSignature>| {
        shop.desk.install_plugin(SITE, &version(number), &Installing { signature, ..installing() })
    };
    assert_eq!(told(signed(1, None)).0, "signature-missing");
    assert_eq!(told(signed(1, Some(PluginSignature::by(&others, &version(1))))).0, "signature-wrong");
    assert_eq!(told(signed(1, Some(PluginSignature::by(&ours, &version(2))))).0, "signature-wrong");
    let signature = PluginSignature::by(&ours, &version(1));
    assert_eq!(PluginSignature::read(&signature.to_text()), Ok(signature.clone()));
    for text in ["", "minisign", "ed25519 00 11", &signature.to_text()[..100]] {
        assert!(PluginSignature::read(text).unwrap_err().contains("is right"), "{text}");
    }
    let installed = signed(1, Some(signature)).unwrap();
    assert_eq!(installed.versions[0].signed_by, Some(public(&ours)));
    shop.desk.activate_plugin(&by("a"), None).unwrap();
    programme(&shop, &json!([{ "plugin": ID, "settings": { "products": 1 } }]));
    let card = card(&shop);
    assert_eq!(decided(&shop.desk, "a", "US", &card), "used");
    // A key that is not trusted any more: what it signed is in use, and that is said.
    let error = shop.desk.set_site(&read(site(&[public(&others)], true))).unwrap_err().to_string();
    assert!(error.contains("programme `welcome`") && error.contains("trusted keys"), "{error}");
    let error = shop.desk.set_site(&read(site(&[], true))).unwrap_err();
    assert!(error.to_string().contains("`plugins.require_signature`"), "{error}");
    let error = shop.desk.set_site(&read(site(&["abc".to_string()], false))).unwrap_err();
    assert!(error.to_string().contains("`plugins.trusted_keys[0]`"), "{error}");
    // A host can demand them where the site does not.
    shop.desk.set_site(&read(site(&[], false))).unwrap();
    install(&shop.desk, 2);
    shop.desk.activate_plugin(&by("a"), Some("1.0.0")).unwrap();
    let strict = bank::desk(fresh.open(), 7, 99).with_signatures_required();
    let mut document = order("a", "US", &card);
    document["operation"] = "strict".into();
    let error = strict.quote(&read(document), bank::NOW, false).unwrap_err();
    assert_eq!(error.code(), "programme-unusable");
    assert!(error.to_string().contains("trusted keys"), "{error}");
    assert_eq!(told(strict.activate_plugin(&by("a"), Some("2.0.0"))).0, "plugin-unusable");
}

fn signer(seed: u64) -> PluginSigner {
    PluginSigner::generate(&mut bank::randomness(seed))
}

fn two_persons_can_be_demanded(fresh: &Fresh) {
    let shop = shop(fresh);
    let card = card(&shop);
    shop.desk
        .set_site(&read(json!({ "id": SITE, "currency": "USD", "plugins": { "require_approval": true } })))
        .unwrap();
    assert_eq!(told(shop.desk.activate_plugin(&Changing { actor: None, ..by("") }, None)).0, "actor-missing");
    let proposed = shop.desk.activate_plugin(&by("anna"), Some("2.0.0")).unwrap();
    assert_eq!(proposed.active.as_deref(), Some("1.0.0"));
    let proposal = proposed.proposed.unwrap();
    assert_eq!((proposal.by.as_str(), proposal.version.as_str()), ("anna", "2.0.0"));
    assert_eq!(decided(&shop.desk, "a", "US", &card), "too-few-products");
    let approve = |actor, version: &str, share| {
        shop.desk.approve_plugin(&Changing { actor: Some(actor), ..by("") }, version, share)
    };
    assert_eq!(told(approve("Anna ", "2.0.0", None)).0, "same-person");
    assert_eq!(told(approve(" ", "2.0.0", None)).0, "actor-missing");
    // Something else than was looked at.
    for (version, share) in [("1.0.0", None), ("3.0.0", None), ("2.0.0", Some(100))] {
        let (code, message) = told(approve("bert", version, share));
        assert_eq!((code.as_str(), message.contains("2.0.0")), ("proposal-changed", true), "{message}");
    }
    // Nor does one person let a version decide by naming it.
    let named = |name: &str| bind(&shop.desk, &read(json!({ "plugin": name })));
    assert_eq!(named("welcome-gift@2.0.0").unwrap_err().code(), "not-approved");
    let approved = approve("bert", "2.0.0", None).unwrap();
    assert_eq!((approved.active.as_deref(), approved.proposed), (Some("2.0.0"), None));
    assert_eq!(decided(&shop.desk, "a", "US", &card), "used");
    // What is for when something is wrong needs nobody else.
    assert_eq!(shop.desk.roll_back_plugin(&by("anna")).unwrap().active.as_deref(), Some("1.0.0"));
    let share = shop.desk.canary_plugin(&by("anna"), Some("2.0.0"), 2_500).unwrap();
    assert_eq!((share.canary, share.proposed.unwrap().share.as_deref()), (None, Some("25%")));
    assert_eq!(told(approve("bert", "2.0.0", None)).0, "proposal-changed");
    assert_eq!(approve("bert", "2.0.0", Some(2_500)).unwrap().canary.as_deref(), Some("2.0.0"));
    shop.desk.canary_plugin(&by("anna"), Some("2.0.0"), 3_000).unwrap();
    assert_eq!(shop.desk.withdraw_plugin(&by("anna")).unwrap().proposed, None);
    assert_eq!(told(approve("bert", "2.0.0", None)).0, "nothing-proposed");
}

/// Where two persons are demanded, one alone changes neither conditions nor the demand itself.
fn two_persons_set_conditions_and_demands(fresh: &Fresh) {
    let shop = shop(fresh);
    let card = card(&shop);
    let site = |approval: bool| -> SiteDocument {
        read(json!({ "id": SITE, "currency": "USD", "plugins": { "require_approval": approval } }))
    };
    shop.desk.set_site(&site(true)).unwrap();
    // Everything but the conditions one person changes as ever.
    let programme = |name: &str, products: u32, minimum: &str| -> ProgrammeDocument {
        let conditions = json!([{ "plugin": ID, "settings": { "products": products } }]);
        read(json!({ "code_name": name, "name": "Welcome", "minimum_order": minimum, "conditions": conditions }))
    };
    shop.desk.set_programme(SITE, &programme("new", 2, "1.00")).unwrap();
    shop.desk.set_programme(SITE, &programme("new", 2, "2.00")).unwrap();
    shop.desk.enable_programme(SITE, "welcome", false).unwrap();
    shop.desk.enable_programme(SITE, "welcome", true).unwrap();
    for error in [
        shop.desk.set_programme(SITE, &programme("new", 3, "2.00")).unwrap_err(),
        shop.desk.set_site(&site(false)).unwrap_err(),
    ] {
        assert_eq!(error.code(), "approval-needed", "{error}");
    }
    let nobody = SettingUp { actor: None, now: bank::NOW };
    let one: ConditionInput = read(json!({ "plugin": ID, "settings": { "products": 1 } }));
    assert_eq!(told(shop.desk.bind_plugin(SITE, "welcome", &one, nobody)).0, "actor-missing");
    // What would not be right is not proposed at all.
    let wrong: ConditionInput = read(json!({ "plugin": ID, "settings": { "products": 0 } }));
    assert!(shop.desk.bind_plugin(SITE, "welcome", &wrong, person("anna")).is_err());
    let proposal = proposed(shop.desk.bind_plugin(SITE, "welcome", &one, person("anna")).unwrap());
    assert_eq!((proposal.state, proposal.by.as_str()), ("waits", "anna"));
    assert_eq!(decided(&shop.desk, "a", "US", &card), "too-few-products");
    assert!(proposal.name.starts_with("programme:welcome@"), "{}", proposal.name);
    let approve = |name: &str, actor| shop.desk.approve_proposal(SITE, name, person(actor));
    assert_eq!(told(approve(&proposal.name, " Anna")).0, "same-person");
    for other in ["", "@", "@0", "@0000000000000000"] {
        assert_eq!(told(approve(&format!("programme:welcome{other}"), "bert")).0, "proposal-changed");
    }
    // Something else is proposed meanwhile: what was looked at is not what waits.
    let two: ConditionInput = read(json!({ "plugin": ID, "settings": { "products": 2 } }));
    let other = proposed(shop.desk.bind_plugin(SITE, "welcome", &two, person("carl")).unwrap());
    let (code, message) = told(approve(&proposal.name, "bert"));
    assert_eq!((code.as_str(), message.contains("by carl")), ("nothing-proposed", true), "{message}");
    // The programme is another one by now.
    shop.desk.enable_programme(SITE, "welcome", false).unwrap();
    assert_eq!(told(approve(&other.name, "bert")).0, "proposal-outdated");
    shop.desk.enable_programme(SITE, "welcome", true).unwrap();
    let again = proposed(shop.desk.bind_plugin(SITE, "welcome", &one, person("anna")).unwrap());
    let approved = approve(&again.name, "bert").unwrap();
    assert_eq!((approved.state, approved.ended_by.as_deref()), ("approved", Some("bert")));
    assert_eq!(decided(&shop.desk, "a", "US", &card), "used");
    assert_eq!(told(approve(&again.name, "bert")).0, "nothing-proposed");
    // Nor are conditions got rid of by store credit, which has none.
    let credit = |to_credit: bool| -> ProgrammeDocument {
        let conditions = json!([{ "plugin": ID, "settings": { "products": 1 } }]);
        read(json!({ "code_name": "welcome", "name": "Welcome", "conditions": conditions, "to_credit": to_credit }))
    };
    assert_eq!(shop.desk.set_programme(SITE, &credit(true)).unwrap_err().code(), "approval-needed");
    // Nor is a condition taken off, or the demand itself, by one.
    let off = proposed(shop.desk.unbind_plugin(SITE, "welcome", ID, person("bert")).unwrap());
    assert_eq!(told(shop.desk.withdraw_proposal(SITE, &again.name, person("bert"))).0, "nothing-proposed");
    assert_eq!(told(shop.desk.withdraw_proposal(SITE, &off.name, nobody)).0, "actor-missing");
    assert_eq!(shop.desk.withdraw_proposal(SITE, &off.name, person("bert")).unwrap().state, "withdrawn");
    assert_eq!(told(approve(&off.name, "anna")).0, "nothing-proposed");
    let demand = proposed(shop.desk.set_site_by(&site(false), person("bert")).unwrap());
    approve(&demand.name, "anna").unwrap();
    // All of it stays to be seen.
    let ends: BTreeMap<_, _> =
        shop.desk.proposals(SITE).unwrap().into_iter().map(|one| (one.name.clone(), one)).collect();
    let end = |name: &str| (ends[name].state, ends[name].ended_by.as_deref().unwrap());
    assert_eq!(end(&proposal.name), ("withdrawn", "carl"));
    assert_eq!(end(&other.name), ("withdrawn", "anna"));
    assert_eq!(end(&again.name), ("approved", "bert"));
    assert_eq!((end(&off.name), end(&demand.name)), (("withdrawn", "bert"), ("approved", "anna")));
    assert_eq!(ends.len(), 5);
    // From then on one is enough.
    done(shop.desk.unbind_plugin(SITE, "welcome", ID, nobody).unwrap());
    assert_eq!(decided(&shop.desk, "b", "DE", &card), "used");
}

/// The rules of a site can be other ones, of which only one set is active.
fn a_site_can_have_rules_of_its_own(fresh: &Fresh) {
    let shop = Shop::open(fresh);
    let card = shop.card("10.00");
    shop.desk.install_plugin(SITE, &component_bytes("tests/hostile-rules"), &installing()).unwrap();
    let id = shop.desk.plugins(SITE).unwrap()[0].id.clone();
    let rules = Changing { id: &id, ..by("a") };
    let active = shop.desk.activate_plugin(&rules, None).unwrap();
    assert_eq!(active.versions[0].world, "gift-card");
    let digest = component_digest(&component_bytes("tests/hostile-rules"));
    let quote = shop.quote("a", "5.00", &[card.entry()]);
    let asked = quote.map(|quote| quote.rules.calls.iter().any(|call| call.digest == digest));
    assert!(asked.unwrap_or_else(|error| error.to_string().contains(&digest[..8])), "the site's own rules decide");
    assert_eq!(told(shop.desk.switch_plugin(&rules, false)).0, "rules-stay-on");
    let key = PluginSignature::by(&signer(1), b"").key;
    let demand = json!({ "trusted_keys": [key], "require_signature": true });
    let site = json!({ "id": SITE, "currency": "USD", "plugins": demand });
    let error = shop.desk.set_site(&read(site)).unwrap_err().to_string();
    assert!(error.contains("could not decide any more") && error.contains("is not signed"), "{error}");
    let back = shop.desk.roll_back_plugin(&rules).unwrap();
    assert_eq!(back.active, None);
    assert_eq!(shop.quote("a", "5.00", &[card.entry()]).unwrap().applied.0, "5.00");
}

/// Rules can decide for a share of the orders, and those that misbehave can look on without anybody noticing.
fn rules_look_on_and_decide_for_a_share(fresh: &Fresh) {
    let shop = Shop::open(fresh);
    let card = shop.card("100.00");
    let bytes = component_bytes("tests/hostile-rules");
    let (digest, id) = (component_digest(&bytes), shop.desk.install_plugin(SITE, &bytes, &installing()).unwrap().id);
    let rules = Changing { id: &id, ..by("a") };
    // With so many cards they cannot decide.
    let site = |cards: u32| {
        shop.desk.set_site(&read(json!({ "id": SITE, "currency": "USD", "cards_max": cards }))).unwrap();
    };
    site(117);
    shop.desk.shadow_plugin(&rules, None).unwrap();
    for number in 0..3 {
        shop.redeem(&format!("failing-{number}"), "1.00", &[card.entry()]).unwrap();
    }
    let report = shop.desk.shadow_report(SITE, &id, &digest).unwrap();
    let counts = &report.counts;
    assert_eq!((counts.decisions, counts.failed, counts.same), (3, 3, 0), "{report:?}");
    assert!(report.differences.iter().all(|difference| difference.failed.is_some()), "{report:?}");
    // With any other number they do as they should.
    site(20);
    shop.redeem("fine", "1.00", &[card.entry()]).unwrap();
    let counts = shop.desk.shadow_report(SITE, &id, &digest).unwrap().counts;
    assert_eq!((counts.decisions, counts.failed, counts.same), (4, 3, 1));
    // They are asked about refunds, too: all to the first in place of a half to each.
    let other = shop.card("5.00");
    shop.redeem("both", "10.00", &[other.entry(), card.entry()]).unwrap();
    shop.refund_with("back", "both", "cards", "4.00").unwrap();
    shop.refund_with("back", "both", "cards", "4.00").unwrap();
    let report = shop.desk.shadow_report(SITE, &id, &digest).unwrap();
    assert_eq!((report.counts.decisions, report.counts.same, report.counts.different), (6, 2, 1));
    let found = report.differences.iter().find(|difference| difference.refund).unwrap();
    let returned: Vec<_> = found.cards.iter().map(|card| (card.paid_before, card.paid_after)).collect();
    assert_eq!(
        (found.operation.as_str(), found.order.as_str(), returned),
        ("back", "both", vec![(200, 400), (200, 0)])
    );
    shop.desk.end_shadow(&rules).unwrap();
    // Half of the orders are decided by them, and that is what their decisions say.
    shop.desk.canary_plugin(&rules, None, 5_000).unwrap();
    let by_them = |number: u32| {
        let quote = shop.quote(&format!("o-{number}"), "1.00", &[card.entry()]).unwrap();
        assert_eq!(quote.applied.0, "1.00");
        quote.rules.calls.iter().any(|call| call.digest == digest)
    };
    let share = (0..100).filter(|number| by_them(*number)).count();
    assert!((30..=70).contains(&share), "{share} of 100 are a half, more or less");
    let first = (0..100).find(|number| by_them(*number)).unwrap();
    shop.redeem(&format!("o-{first}"), "6.00", &[other.entry(), card.entry()]).unwrap();
    // What they split says that it was they, and comes out again once they are gone.
    shop.refund_with("by-them", &format!("o-{first}"), "cards", "2.00").unwrap();
    let report = shop.desk.verify(&giftcard::desk::VerifyOptions::default(), &mut |_| {}).unwrap();
    assert!(report.sound, "{:#?}", report.findings);
    assert_eq!((report.decisions.same, report.decisions.not_replayable), (8, 0));
    shop.desk.end_canary(&rules).unwrap();
    let key = OperationKey { site: SITE.to_string(), key: "by-them".to_string() };
    assert!(shop.desk.store().find(&of(&key)).unwrap().operation.unwrap().decision.unwrap().contains(&digest));
    assert_eq!(shop.desk.verify_operation(&key).unwrap().unwrap().decision, "same");
    assert_eq!((0..100).filter(|number| by_them(*number)).count(), 0);
    shop.check_books();
}

/// A card that another site takes is decided about by the plugins of the site that issued it.
fn the_issuing_site_says_what_a_name_means(fresh: &Fresh) {
    let shop = shop(fresh);
    shop.desk.set_site(&read(json!({ "id": "other", "currency": "USD" }))).unwrap();
    let document = json!({
        "code_name": "welcome", "name": "Welcome", "conditions": [{ "plugin": ID }], "accepted_by": ["other"],
    });
    shop.desk.set_programme(SITE, &read(document)).unwrap();
    let card = card(&shop);
    // At the other site the same id means another version.
    shop.desk.install_plugin("other", &version(2), &installing()).unwrap();
    let there = Changing { site: "other", ..by("a") };
    shop.desk.activate_plugin(&there, None).unwrap();
    let decided = |number: u8| {
        let mut document = order("a", "US", &card);
        (document["operation"], document["site"]) = (format!("q{number}").into(), "other".into());
        let quote = shop.desk.quote(&read(document), bank::NOW, false).unwrap();
        quote.cards[0].code.clone().unwrap_or_else(|| "used".to_string())
    };
    assert_eq!(decided(1), "too-few-products");
    shop.desk.activate_plugin(&by("a"), Some("2.0.0")).unwrap();
    assert_eq!(decided(2), "used");
}

/// Of what many processes and threads do while versions are swapped all the time, every decision is of one version whole:
/// it is what the version it names decides, and it comes out again. None fails. The long run is the same with
/// `GIFTCARD_SWAPS=1000 GIFTCARD_DECISIONS=100000`.
fn versions_are_swapped_under_load(fresh: &Fresh) {
    let number = |name: &str, usual: u64| std::env::var(name).map_or(usual, |text| text.parse().unwrap());
    let (swaps, decisions) = (number("GIFTCARD_SWAPS", 40), number("GIFTCARD_DECISIONS", 400));
    let shop = shop(fresh);
    let shops = [Shop::beside(fresh), Shop::beside(fresh)];
    let cards: Vec<Card> = (0..4).map(|_| card(&shop)).collect();
    let (stop, paid, refused) = (AtomicBool::new(false), AtomicU64::new(0), AtomicU64::new(0));
    let failed = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for (place, card) in cards.iter().enumerate() {
            let (shop, stop, paid, refused, failed) = (&shops[place % 2], &stop, &paid, &refused, &failed);
            scope.spawn(move || {
                let mut number = 0;
                while !stop.load(Ordering::Relaxed) {
                    number += 1;
                    let mut document = order(&format!("o-{place}-{number}"), "US", card);
                    document["order"]["total"] = "0.01".into();
                    document["order"]["lines"] = json!([{ "total": "0.01" }]);
                    match shop.pay(PayKind::Redeem, document) {
                        Ok(_) => paid.fetch_add(1, Ordering::Relaxed),
                        Err(error) if error.code() == "no-card-usable" => refused.fetch_add(1, Ordering::Relaxed),
                        Err(error) => {
                            failed.lock().unwrap().push(format!("{}: {error}", error.code()));
                            0
                        }
                    };
                }
            });
        }
        let done = || paid.load(Ordering::Relaxed) + refused.load(Ordering::Relaxed);
        for swap in 0..swaps {
            let to = if swap % 2 == 0 { "2.0.0" } else { "1.0.0" };
            shop.desk.activate_plugin(&by("a"), Some(to)).unwrap();
            while done() < (swap + 1) * decisions / swaps && failed.lock().unwrap().is_empty() {
                std::thread::sleep(Duration::from_millis(1));
            }
        }
        stop.store(true, Ordering::Relaxed);
    });
    assert_eq!(failed.into_inner().unwrap(), Vec::<String>::new());
    let (paid, refused) = (paid.into_inner(), refused.into_inner());
    assert!(paid > 0 && refused > 0 && paid + refused >= decisions, "{paid} paid, {refused} refused");
    // Each decision comes out again with the components that it names.
    let report = shop.desk.verify(&giftcard::desk::VerifyOptions::default(), &mut |_| {}).unwrap();
    assert!(report.sound, "{:#?}", report.findings);
    let decisions = report.decisions;
    assert_eq!((decisions.same, decisions.not_replayable), (paid, 0), "{decisions:?}");
}

giftcard_tests::on_both_stores! {
    versions_are_activated_and_rolled_back,
    what_is_installed_is_checked,
    a_version_means_one_component,
    damaged_bytes_are_told_and_mended,
    settings_must_fit_before_a_version_decides,
    a_plugin_is_switched_off_and_removed,
    a_share_of_the_orders_is_decided_by_another_version,
    a_version_looks_on,
    a_site_can_demand_signatures,
    two_persons_can_be_demanded,
    two_persons_set_conditions_and_demands,
    a_site_can_have_rules_of_its_own,
    rules_look_on_and_decide_for_a_share,
    the_issuing_site_says_what_a_name_means,
    versions_are_swapped_under_load,
}
