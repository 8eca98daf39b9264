// {{title}}: cards may pay on some days of the week only. Put your own rule in its place.

import { accept, everyCard, reject, rule } from "../sdk/giftcard.js";

const DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
const WRONG_DAY = "the card can be used only on: {days}";

export const { plugin, condition } = rule({
    // What a merchant sees: a title, what can be set, and the codes that a refused card may get.
    id: "{{name}}",
    version: "0.1.0",
    title: "{{title}}",
    summary: "Cards may pay on some days of the week only.",
    settings: [
        { name: "days", label: "Days", help: "Cards may pay on these.", kind: "choices", choices: DAYS, required: true },
    ],
    rejectCodes: { "wrong-day": WRONG_DAY },

    // One verdict for each card. There is no clock but `request.now`, and nothing is kept from one call to the next.
    evaluate(request, { days }, trace) {
        const today = DAYS[request.now.weekday - 1];
        const passed = days.includes(today);
        // What `giftcard plugin run` and `giftcard quote --explain` show.
        trace("day of the week", passed, today, days.join(", "));
        return everyCard(request, passed ? accept : reject("wrong-day", WRONG_DAY, { days }));
    },
});
