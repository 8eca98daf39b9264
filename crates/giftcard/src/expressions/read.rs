//! From the text of an expression to a tree of rules. The text is cut into parts at `&&`, `||`, `!` and parentheses; a
//! part whose syntax fits a rule's template is that rule, any other is code. Must not know what an expression means.

use std::sync::LazyLock;

use cel::common::ast::Expr;
use cel::parser::pratt_parser::{Lexer, TokenKind};
use cel::parser::{Expression, PrattParser};

use super::argument::Argument;
use super::catalogue::Rule;
use super::rules::RULES;
use super::tree::{Known, Tree};

/// As the component has it.
const NODES_MAX: usize = 2000;

/// As the component has it.
const RECURSION_MAX: u16 = 48;

/// How deep a tree that is read may be; what is deeper stays code.
const DEPTH_MAX: usize = 40;

/// How parts are joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Joint {
    And,
    Or,
}

impl Joint {
    pub(super) fn sign(self) -> &'static str {
        match self {
            Self::And => "&&",
            Self::Or => "||",
        }
    }

    /// What no parts come to.
    pub(super) fn of_none(self) -> &'static str {
        match self {
            Self::And => "true",
            Self::Or => "false",
        }
    }

    fn tree(self, parts: Vec<Tree>) -> Tree {
        match self {
            Self::And => Tree::All(parts),
            Self::Or => Tree::Any(parts),
        }
    }
}

/// The tree of a text.
pub(super) fn tree(source: &str) -> Tree {
    let code = || Tree::Code(source.to_string());
    if source.len() > super::EXPRESSION_BYTES_MAX || parse(source).is_none() {
        return code();
    }
    let Some(words) = lex(source) else { return code() };
    let tree = Source { text: source, words }.tree(0, source.len(), 0);
    // With no rule in it nothing is gained by taking it apart.
    if has_rule(&tree) { tree } else { code() }
}

/// Whether the text is an expression, as far as its syntax goes.
pub(super) fn parse(source: &str) -> Option<Expression> {
    let parser = PrattParser::new().max_expression_node_count(NODES_MAX).max_recursion_depth(RECURSION_MAX);
    parser.parse(source).ok()
}

/// Whether it has a comment, or cannot be looked into.
pub(super) fn has_comment(source: &str) -> bool {
    let mut lexer = Lexer::new(source);
    loop {
        match lexer.lex().kind {
            TokenKind::TokComment | TokenKind::TokError => return true,
            TokenKind::TokEnd => return false,
            _ => {}
        }
    }
}

/// Whether it falls apart beside `&&`, `||` or `!`.
pub(super) fn is_joined(source: &str) -> bool {
    let Some(words) = lex(source) else { return true };
    let loose = [TokenKind::TokLogicalAnd, TokenKind::TokLogicalOr, TokenKind::TokQuestion];
    words.iter().any(|word| word.depth == 0 && loose.contains(&word.kind))
}

/// Shows a template piece by piece, and of each whether it is a word outside of texts.
pub(super) fn words(template: &str, mut show: impl FnMut(&str, bool)) {
    let mut lexer = Lexer::new(template);
    loop {
        let token = lexer.lex();
        match token.kind {
            TokenKind::TokEnd => return,
            kind => show(&template[token.start..token.end], kind == TokenKind::TokIdent),
        }
    }
}

/// Whether a rule is somewhere in it, or an empty list of parts.
fn has_rule(tree: &Tree) -> bool {
    match tree {
        Tree::Rule(_) => true,
        Tree::Code(_) => false,
        Tree::Not(inner) => has_rule(inner),
        Tree::All(parts) | Tree::Any(parts) => parts.is_empty() || parts.iter().any(has_rule),
    }
}

/// A sign or word that is neither space nor comment.
#[derive(Clone, Copy)]
struct Word {
    kind: TokenKind,
    start: usize,
    end: usize,
    /// In how many brackets it is; brackets are outside of themselves.
    depth: usize,
}

fn lex(source: &str) -> Option<Vec<Word>> {
    let (mut lexer, mut words, mut depth) = (Lexer::new(source), Vec::new(), 0_usize);
    loop {
        let token = lexer.lex();
        match token.kind {
            TokenKind::TokEnd => return Some(words),
            TokenKind::TokError => return None,
            TokenKind::TokWhitespace | TokenKind::TokComment => continue,
            TokenKind::TokRightParen | TokenKind::TokRightBracket | TokenKind::TokRightBrace => {
                depth = depth.checked_sub(1)?;
            }
            _ => {}
        }
        words.push(Word { kind: token.kind, start: token.start, end: token.end, depth });
        if matches!(token.kind, TokenKind::TokLeftParen | TokenKind::TokLeftBracket | TokenKind::TokLeftBrace) {
            depth += 1;
        }
    }
}

struct Source<'a> {
    text: &'a str,
    words: Vec<Word>,
}

impl Source<'_> {
    /// The tree of a part, which is an expression by itself.
    fn tree(&self, from: usize, to: usize, depth: usize) -> Tree {
        let part = self.text[from..to].trim();
        let from = from + (self.text[from..to].len() - self.text[from..to].trim_start().len());
        let to = from + part.len();
        let code = || Tree::Code(part.to_string());
        if depth > DEPTH_MAX {
            return code();
        }
        for joint in [Joint::And, Joint::Or] {
            if part == joint.of_none() {
                return joint.tree(Vec::new());
            }
        }
        // A comment in a rule would be lost.
        if !has_comment(part)
            && let Some(known) = parse(part).as_ref().and_then(rule)
        {
            return Tree::Rule(known);
        }
        let begin = self.words.partition_point(|word| word.start < from);
        let words = &self.words[begin..self.words.partition_point(|word| word.end <= to)];
        let (Some(first), Some(last)) = (words.first(), words.last()) else { return code() };
        let loose: Vec<&Word> = words.iter().filter(|word| word.depth == first.depth).collect();
        let has = |kind: TokenKind| loose.iter().any(|word| word.kind == kind);
        if has(TokenKind::TokQuestion) {
            return code();
        }
        for (joint, kind) in [(Joint::Or, TokenKind::TokLogicalOr), (Joint::And, TokenKind::TokLogicalAnd)] {
            if has(kind) {
                let cuts: Vec<&Word> = loose.iter().filter(|word| word.kind == kind).copied().collect();
                return self.joined(joint, &cuts, (from, to), depth);
            }
        }
        // A comment before the sign or the parenthesis would be lost.
        let is_bare = first.start == from && last.end == to;
        match first.kind {
            TokenKind::TokExclamation if is_bare && !loose[1..].iter().any(|word| binds_less(word.kind)) => {
                Tree::Not(Box::new(self.tree(first.end, to, depth + 1)))
            }
            TokenKind::TokLeftParen if is_bare && loose.len() == 2 => self.tree(first.end, last.start, depth + 1),
            _ => code(),
        }
    }

    fn joined(&self, joint: Joint, cuts: &[&Word], (from, to): (usize, usize), depth: usize) -> Tree {
        let starts = std::iter::once(from).chain(cuts.iter().map(|cut| cut.end));
        let ends = cuts.iter().map(|cut| cut.start).chain([to]);
        let mut parts: Vec<(usize, usize)> = starts.zip(ends).collect();
        // As one part is printed.
        if let [(start, end), _] = parts[..]
            && self.text[start..end].trim() == joint.of_none()
        {
            parts.remove(0);
        }
        joint.tree(parts.into_iter().map(|(start, end)| self.tree(start, end, depth + 1)).collect())
    }
}

/// Whether `!x` beside such a sign is not all of it.
fn binds_less(kind: TokenKind) -> bool {
    use TokenKind::{
        TokAsterisk, TokEqualEqual, TokExclamationEqual, TokGreater, TokGreaterEqual, TokIn, TokLess, TokLessEqual,
        TokMinus, TokPercent, TokPlus, TokSlash,
    };
    matches!(
        kind,
        TokAsterisk
            | TokEqualEqual
            | TokExclamationEqual
            | TokGreater
            | TokGreaterEqual
            | TokIn
            | TokLess
            | TokLessEqual
            | TokMinus
            | TokPercent
            | TokPlus
            | TokSlash
    )
}

/// The templates, parsed.
static TEMPLATES: LazyLock<Vec<(&'static Rule, Expression)>> =
    LazyLock::new(|| RULES.iter().filter_map(|rule| Some((rule, parse(rule.template)?))).collect());

/// The rule that an expression is.
fn rule(expression: &Expression) -> Option<Known> {
    TEMPLATES.iter().find_map(|(rule, template)| {
        let mut arguments = vec![None; rule.parameters.len()];
        if !fits(rule, &template.expr, &expression.expr, &mut arguments) {
            return None;
        }
        Known::of(rule, arguments.into_iter().collect::<Option<Vec<Argument>>>()?).ok()
    })
}

/// Whether an expression is a template with arguments in its places.
fn fits(rule: &Rule, template: &Expr, found: &Expr, arguments: &mut [Option<Argument>]) -> bool {
    let all = |templates: &[Expression], found: &[Expression], arguments: &mut [Option<Argument>]| {
        let mut pairs = templates.iter().zip(found);
        templates.len() == found.len() && pairs.all(|(one, other)| fits(rule, &one.expr, &other.expr, arguments))
    };
    match (template, found) {
        (Expr::Ident(name), found) if let Some(place) = rule.placeholder(name) => {
            let argument = Argument::of_expression(rule.parameters[place].kind, found);
            let fits = argument.is_some();
            arguments[place] = argument;
            fits
        }
        (Expr::Ident(one), Expr::Ident(other)) => one == other,
        (Expr::Literal(one), Expr::Literal(other)) => one == other,
        (Expr::Select(one), Expr::Select(other)) => {
            one.field == other.field
                && one.test == other.test
                && fits(rule, &one.operand.expr, &other.operand.expr, arguments)
        }
        (Expr::Call(one), Expr::Call(other)) => {
            let targets = match (&one.target, &other.target) {
                (None, None) => true,
                (Some(one), Some(other)) => fits(rule, &one.expr, &other.expr, arguments),
                _ => false,
            };
            targets && one.func_name == other.func_name && all(&one.args, &other.args, arguments)
        }
        (Expr::List(one), Expr::List(other)) => {
            one.optional_indices == other.optional_indices && all(&one.elements, &other.elements, arguments)
        }
        (Expr::Comprehension(one), Expr::Comprehension(other)) => {
            let names =
                one.iter_var == other.iter_var && one.iter_var2 == other.iter_var2 && one.accu_var == other.accu_var;
            let mut parts = [
                (&one.iter_range, &other.iter_range),
                (&one.accu_init, &other.accu_init),
                (&one.loop_cond, &other.loop_cond),
                (&one.loop_step, &other.loop_step),
                (&one.result, &other.result),
            ]
            .into_iter();
            names && parts.all(|(one, other)| fits(rule, &one.expr, &other.expr, arguments))
        }
        _ => false,
    }
}
