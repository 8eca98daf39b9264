//! Ids and codes: what is one card, and what never is.

use serde_json::{Value as Json, json};

use super::{patched, read};

fn check(cards: Json, expected: &str) {
    match read(&patched("cards", cards.clone())) {
        Ok(request) => {
            let ids: Vec<&str> = request.cards.iter().map(|card| card.id.as_str()).collect();
            assert_eq!(ids.join(" "), expected, "{cards}");
        }
        Err(error) => assert_eq!(format!("{} {error}", error.kind.code()), expected, "{cards}"),
    }
}

#[test]
fn an_id_stands_for_one_card() {
    let a = |code: Option<&str>| json!({"id": "A", "balance": "5.00", "code": code});
    check(
        json!([a(None), a(None)]),
        "inconsistent `cards[1].id`: `A` was given before, as cards[0]; two entries are one card only where both have \
         the same code",
    );
    check(
        json!([a(Some("X1")), a(None)]),
        "inconsistent `cards[1].id`: `A` was given before, as cards[0]; two entries are one card only where both have \
         the same code",
    );
    check(
        json!([a(Some("X1")), a(Some("X2"))]),
        "inconsistent `cards[1].id`: `A` was given before, as cards[0]; two entries are one card only where both have \
         the same code",
    );
    check(json!([a(Some("X-1")), a(Some("x1"))]), "A A");
}

#[test]
fn a_name_that_a_card_would_get_must_be_free() {
    let bare = json!({"balance": "5.00"});
    check(json!([bare, bare]), "card-1 card-2");
    check(json!([{"id": "card-1", "balance": "5.00"}, bare]), "card-1 card-2");
    check(
        json!([{"id": "card-2", "balance": "5.00"}, bare]),
        "inconsistent `cards[1].id`: is missing, and the name that cards[1] would get, `card-2`, is that of cards[0]; \
         give every card an id",
    );
    check(
        json!([bare, {"id": "card-1", "balance": "5.00"}]),
        "inconsistent `cards[0].id`: is missing, and the name that cards[0] would get, `card-1`, is that of cards[1]; \
         give every card an id",
    );
    // Even one code does not make it right: the first has a name of its own.
    check(
        json!([{"id": "card-2", "code": "X", "balance": "5.00"}, {"code": "X", "balance": "5.00"}]),
        "inconsistent `cards[1].id`: is missing, and the name that cards[1] would get, `card-2`, is that of cards[0]; \
         give every card an id",
    );
}

#[test]
fn a_code_is_never_an_id() {
    let problem =
        "inconsistent `cards[1].id`: is the card's code, and answers show the id; call the card something else";
    for (id, code) in [("SECRET-1", "SECRET-1"), ("secret 1", "SECRET\u{2013}1"), ("Secret1", " sec-ret1 ")] {
        let card = json!({"id": id, "code": code, "balance": "5.00"});
        check(json!([{"id": "B", "balance": "1.00"}, card]), problem);
        assert!(!problem.to_lowercase().contains(&id.to_lowercase()), "no message shows a code");
    }
    check(json!([{"code": "card-1", "balance": "5.00"}]), "card-1");
    check(json!([{"id": "SECRET-2", "code": "SECRET-1", "balance": "5.00"}]), "SECRET-2");
}

#[test]
fn a_card_has_one_limit() {
    let card = |limit: Json| json!({"code": "X", "balance": "5.00", "use_at_most": limit});
    let problem = "inconsistent `cards[1].use_at_most`: the same card was entered as cards[0] with another limit";
    check(json!([card(json!("3.00")), card(json!("4.00"))]), problem);
    check(json!([card(json!("3.00")), card(Json::Null)]), problem);
    check(json!([card(Json::Null), card(json!("3.00"))]), problem);
    check(json!([card(json!("3.00")), card(json!("3"))]), "card-1 card-2");
    check(
        json!([card(Json::Null), {"balance": "1.00"}, card(Json::Null), card(json!("1.00"))]),
        "inconsistent `cards[3].use_at_most`: the same card was entered as cards[0] with another limit",
    );
}
