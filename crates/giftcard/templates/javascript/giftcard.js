// What a condition in JavaScript or TypeScript needs beside the contract: it fills in what may be left out, turns settings into
// plain values, and makes a thrown error an answer with its message. It comes from `giftcard`; it is not yours to change.

import log from "giftcard:rules/log@0.1.0";

/** @import {
 *   Choice, Condition, Description, Evaluation, Money, Named, Plugin, Problem, Request, Setting, SharedLimit, Step, Value, Verdict,
 * } from "./contract.d.ts" */

/** A setting's value, or an argument of a message. Numbers are whole: minor units, thousandths, basis points.
 * @typedef {boolean | number | string | string[] | Money} Plain */

/** Values by name. */
/** @typedef {Record<string, Plain | undefined>} Values */

/** A setting; what is left out is none, or not required.
 * @typedef {Pick<Setting, "name" | "label" | "help" | "kind"> &
 *   Partial<Omit<Setting, "default" | "choices">> & { default?: Plain, choices?: (string | Choice)[] }} SettingInput */

/** Notes what was checked, for whoever asked to have the decision explained. `card` is the place of a card, if it is about one.
 * @typedef {(check: string, passed: boolean, seen: string, needed: string, card?: number) => void} Trace */

/** What a condition is.
 * @template {Values} S
 * @typedef {object} Rule
 * @property {string} id kebab-case, the same over all versions
 * @property {string} version semantic version
 * @property {string} title what a list of plugins shows
 * @property {string} summary one sentence for the merchant
 * @property {SettingInput[]} [settings] what a merchant can set
 * @property {Record<string, string>} [rejectCodes] every code that a refusal may carry, and what it means
 * @property {string[]} [needs] the parts of the order to be sent, such as "lines.sku"; the contract lists them
 * @property {(settings: S) => string[]} [needsOf] which of them, with these settings; all of them if left out
 * @property {boolean} [sharesLimits] whether it may answer with limits that several cards share
 * @property {(settings: S) => Problem[]} [checkSettings] what is wrong with settings together
 * @property {(request: Request, settings: S, trace: Trace) => Verdict[] | { verdicts: Verdict[], limits: SharedLimit[] }} evaluate
 *   one verdict for each card
 */

/** Thrown where the condition cannot decide at all; its cards are then treated as their binding says. */
export class Failure extends Error {
    /** @param {string} code kebab-case @param {string} message for the merchant */
    constructor(code, message) {
        super(message);
        this.code = code;
    }
}

/** The card may pay for all of the order.
 * @type {Verdict} */
export const accept = { tag: "accept" };

/** At most this much of the order, in minor units of its currency.
 * @param {number} amount
 * @returns {Verdict} */
export function acceptUpTo(amount) {
    return { tag: "accept-up-to", val: whole("an amount", amount) };
}

/** The card may not pay. `{name}` in the message stands for the argument of that name.
 * @param {string} code one of `rejectCodes`
 * @param {string} message
 * @param {Values} [values]
 * @returns {Verdict} */
export function reject(code, message, values = {}) {
    return { tag: "reject", val: { code, message, arguments: named(values) } };
}

/** The same verdict for every card.
 * @param {Request} request @param {Verdict} verdict */
export function everyCard(request, verdict) {
    return request.cards.map(() => verdict);
}

/** What the host asks: `export const { plugin, condition } = rule({...})`.
 * @template {Values} S
 * @param {Rule<S>} rule
 * @returns {{ plugin: Plugin, condition: Condition }} */
export function rule(rule) {
    const description = describe(rule);
    return {
        plugin: {
            describe: () => description,
            checkSettings(settings) {
                const problems = checked(() => rule.checkSettings?.(plain(settings)) ?? []);
                if (problems.length > 0) throw problems;
            },
        },
        condition: {
            needsOf(settings) {
                const { needsOf } = rule;
                if (needsOf === undefined) return description.needs;
                /** @type {string[]} */
                let needs = [];
                const problems = checked(() => {
                    needs = needsOf(plain(settings));
                    if (!Array.isArray(needs)) throw new Failure("no-needs", "`needsOf` returns no list");
                    return [];
                });
                if (problems.length > 0) throw problems;
                return needs;
            },
            evaluate(request, settings, explain) {
                /** @type {Step[]} */
                const steps = [];
                /** @type {Trace} */
                const trace = (check, passed, seen, needed, card) => {
                    if (explain) steps.push({ card: card ?? null, check, passed, seen: `${seen}`, needed: `${needed}` });
                };
                try {
                    const answer = rule.evaluate(request, plain(settings), trace);
                    const { verdicts, limits } = Array.isArray(answer) ? { verdicts: answer, limits: [] } : answer;
                    verdicts.forEach(checkVerdict);
                    limits.forEach(({ limit }) => whole("a limit", limit));
                    return { verdicts, limits, steps };
                } catch (error) {
                    throw failure(error);
                }
            },
        },
    };
}

/** @param {Rule<any>} rule @returns {Description} */
function describe(rule) {
    const { id, version, title, summary, settings = [], rejectCodes = {}, needs = [], sharesLimits = false } = rule;
    return {
        id, version, title, summary, needs, sharesLimits,
        settings: settings.map((setting) => ({
            required: false, minimum: null, maximum: null, itemsMax: null, ...setting,
            default: setting.default === undefined ? null : value(setting.name, setting.default),
            choices: (setting.choices ?? []).map((choice) =>
                typeof choice === "string" ? { value: choice, label: choice } : choice),
        })),
        rejectCodes: Object.entries(rejectCodes).map(([code, message]) => ({ code, message })),
    };
}

/** Of what is no verdict the host would see a trap without a word, and of half a cent nothing.
 * @param {Verdict} verdict */
function checkVerdict(verdict) {
    if (verdict?.tag === "accept-up-to") whole("an amount", verdict.val);
    else if (verdict?.tag !== "accept" && verdict?.tag !== "reject") {
        const shown = JSON.stringify(verdict);
        throw new Failure("no-verdict", `${shown} is no verdict; use accept, acceptUpTo(...) or reject(...)`);
    }
}

/** Settings cannot be right if looking at them throws.
 * @param {() => Problem[]} check @returns {Problem[]} */
function checked(check) {
    try {
        return check();
    } catch (error) {
        return [{ setting: "", message: failure(error).message }];
    }
}

/** What the contract calls a failure, with the place where an error was thrown.
 * @param {unknown} error */
function failure(error) {
    if (error instanceof Failure) return { code: error.code, message: error.message };
    if (!(error instanceof Error)) return { code: "exception", message: `thrown: ${error}` };
    const place = error.stack?.split("\n").find((line) => !line.includes("sdk/giftcard.js"))?.trim() ?? "";
    return { code: "exception", message: `${error.name}: ${error.message} ${place}`.trim() };
}

/** @param {Named[]} settings @returns {any} */
function plain(settings) {
    return Object.fromEntries(settings.map(({ name, value }) => [name, value.val]));
}

/** @param {Values} values @returns {Named[]} */
function named(values) {
    return Object.entries(values).flatMap(([name, given]) =>
        given === undefined ? [] : [{ name, value: value(name, given) }]);
}

/** @param {string} name @param {Plain} given @returns {Value} */
function value(name, given) {
    if (typeof given === "boolean") return { tag: "flag", val: given };
    if (typeof given === "number") return { tag: "integer", val: whole(`\`${name}\``, given) };
    if (typeof given === "string") return { tag: "text", val: given };
    return Array.isArray(given) ? { tag: "texts", val: given } : { tag: "money", val: given };
}

/** @param {string} what @param {number} number */
function whole(what, number) {
    if (Number.isSafeInteger(number)) return number;
    throw new Failure("not-whole", `${what} is ${number}; it must be a whole number within 2^53 - 1`);
}

/** @param {"debug" | "info" | "warn"} level */
const writer = (level) => (/** @type {unknown[]} */ ...parts) =>
    log.write(level, parts.map((part) => (typeof part === "object" ? JSON.stringify(part) : `${part}`)).join(" "));

const noClock = () => new Failure("no-clock", "there is no clock; `request.now` is the moment of the question");

Math.random = () => {
    throw new Failure("no-random", "there are no random numbers: the same question must get the same answer");
};

// What is written is shown by `giftcard plugin run`, and is no part of an answer.
Object.assign(globalThis, {
    Date: class extends Date {
        /** @param {any[]} parts */
        constructor(...parts) {
            if (parts.length === 0) throw noClock();
            // @ts-ignore: it takes what a Date takes
            super(...parts);
        }
        /** @returns {number} */
        static now() {
            throw noClock();
        }
    },
    console: { debug: writer("debug"), log: writer("info"), info: writer("info"), warn: writer("warn"), error: writer("warn") },
});
