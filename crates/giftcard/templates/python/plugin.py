"""{{title}}: cards may pay on some days of the week only. Put your own rule in its place."""

from giftcard import accept, every_card, export, reject, setting

DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
WRONG_DAY = "the card can be used only on: {days}"


def evaluate(request, settings, trace):
    """One verdict for each card. There is no clock but `request.now`, and nothing is kept from one call to the next."""
    today, days = DAYS[request.now.weekday - 1], settings["days"]
    passed = today in days
    # What `giftcard plugin run` and `giftcard quote --explain` show.
    trace("day of the week", passed, today, ", ".join(days))
    return every_card(request, accept() if passed else reject("wrong-day", WRONG_DAY, days=days))


# What a merchant sees: a title, what can be set, and the codes that a refused card may get.
Plugin, Condition = export(
    id="{{name}}",
    version="0.1.0",
    title="{{title}}",
    summary="Cards may pay on some days of the week only.",
    settings=[setting("days", "choices", "Days", "Cards may pay on these.", choices=DAYS, required=True)],
    reject_codes={"wrong-day": WRONG_DAY},
    evaluate=evaluate,
)
