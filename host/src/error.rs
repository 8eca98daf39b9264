//! What can go wrong with a component: one error for each stage of loading, one for calls. All name the component, its
//! version and digest as far as they are known, and the cause. Guest texts in them are cut and escaped.

use std::fmt;
use std::io;

use giftcard_engine::check::Broken;
use thiserror::Error;

use crate::grant::Grant;

/// Which component.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Who {
    /// The id, or before that is known the name it was loaded under.
    pub name: String,
    /// Its own version, once known.
    pub version: Option<String>,
    /// SHA-256 of its file, lower-case hex, once known.
    pub digest: Option<String>,
}

impl Who {
    pub(crate) fn boxed(&self) -> Box<Self> {
        Box::new(self.clone())
    }
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "component `{}`", self.name)?;
        if let Some(version) = &self.version {
            write!(f, " {version}")?;
        }
        if let Some(digest) = &self.digest {
            write!(f, " (sha256:{})", digest.get(..12).unwrap_or(digest))?;
        }
        Ok(())
    }
}

/// Why a component could not be loaded, by stage.
#[derive(Debug, Error)]
pub enum LoadError {
    /// Reading the file.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// Comparing what it asks for with what was granted.
    #[error(transparent)]
    Limits(#[from] LimitsError),
    /// Parsing the bytes.
    #[error(transparent)]
    Parse(#[from] ParseError),
    /// Comparing with the contract.
    #[error(transparent)]
    Contract(#[from] ContractError),
    /// Compiling.
    #[error(transparent)]
    Compile(#[from] CompileError),
    /// Linking.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// The first call.
    #[error(transparent)]
    Trial(#[from] TrialError),
}

impl LoadError {
    /// Stable name of the stage: read, limits, parse, contract, compile, link or trial.
    #[must_use]
    pub fn stage(&self) -> &'static str {
        match self {
            Self::Read(_) => "read",
            Self::Limits(_) => "limits",
            Self::Parse(_) => "parse",
            Self::Contract(_) => "contract",
            Self::Compile(_) => "compile",
            Self::Link(_) => "link",
            Self::Trial(_) => "trial",
        }
    }

    /// The component.
    #[must_use]
    pub fn who(&self) -> &Who {
        match self {
            Self::Read(error) => &error.who,
            Self::Limits(error) => &error.who,
            Self::Parse(error) => &error.who,
            Self::Contract(error) => &error.who,
            Self::Compile(error) => &error.who,
            Self::Link(error) => &error.who,
            Self::Trial(error) => &error.who,
        }
    }
}

/// The file cannot be read or is too large.
#[derive(Debug, Error)]
#[error("{who} cannot be read: {cause}")]
pub struct ReadError {
    /// The component.
    pub who: Box<Who>,
    /// Why.
    pub cause: ReadCause,
}

/// Why a file cannot be read.
#[derive(Debug, Error)]
pub enum ReadCause {
    /// The system says no.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// Larger than a component may be.
    #[error("it has {size} bytes; at most {size_max} are allowed")]
    TooLarge {
        /// Bytes of the file.
        size: u64,
        /// Bytes allowed.
        size_max: usize,
    },
}

/// The component asks for limits that it was not granted, or that nobody can grant.
#[derive(Debug, Error)]
#[error("{who} {cause}")]
pub struct LimitsError {
    /// The component.
    pub who: Box<Who>,
    /// Why.
    pub cause: LimitsCause,
}

/// Why a component does not get the limits that it asks for.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum LimitsCause {
    /// Its request cannot be read, or is above what can be granted at all.
    #[error("cannot be granted what it asks for: {0}")]
    Wrong(String),
    /// Whoever wants to run it has to grant it more.
    #[error(
        "asks for more than it was granted: it asks for {wanted}; granted is {granted}. It runs once that is granted to it"
    )]
    NotGranted {
        /// What it asks for beyond the host's limits.
        wanted: Box<Grant>,
        /// What was granted.
        granted: Box<Grant>,
    },
}

/// The bytes are no WebAssembly component.
#[derive(Debug, Error)]
#[error("{who} is no WebAssembly component: {cause}")]
pub struct ParseError {
    /// The component.
    pub who: Box<Who>,
    /// What the parser says.
    pub cause: String,
}

/// The component does not fit a world of the contract.
#[derive(Debug, Error)]
#[error("{who} does not fit {}:{}", .world.as_deref().unwrap_or("any world of the contract"), list(.differences))]
pub struct ContractError {
    /// The component.
    pub who: Box<Who>,
    /// The world it comes closest to, or which there are.
    pub world: Option<String>,
    /// Each difference, readable.
    pub differences: Vec<String>,
}

fn list(differences: &[String]) -> String {
    differences.iter().map(|difference| format!("\n  - {difference}")).collect()
}

/// The component cannot be compiled.
#[derive(Debug, Error)]
#[error("{who} cannot be compiled: {cause}")]
pub struct CompileError {
    /// The component.
    pub who: Box<Who>,
    /// What the compiler says.
    pub cause: String,
}

/// The component cannot be linked.
#[derive(Debug, Error)]
#[error("{who} cannot be linked: {cause}")]
pub struct LinkError {
    /// The component.
    pub who: Box<Who>,
    /// What the linker says.
    pub cause: String,
}

/// The component failed its first calls, or describes itself badly.
#[derive(Debug, Error)]
#[error("{who} failed its trial run: {cause}")]
pub struct TrialError {
    /// The component.
    pub who: Box<Who>,
    /// Why.
    pub cause: TrialCause,
}

/// Why a trial run failed.
#[derive(Debug, Error)]
pub enum TrialCause {
    /// A call failed.
    #[error(transparent)]
    Call(#[from] CallFailure),
    /// Two calls of `describe` answered differently, or used different fuel.
    #[error("two calls of `describe` differ in {0}; a component must be deterministic")]
    NotDeterministic(&'static str),
    /// The description contradicts the contract.
    #[error("its description is wrong: {0}")]
    Description(String),
}

/// A call that gave no answer that counts.
#[derive(Debug, Error)]
#[error("{who} failed in `{function}`: {failure}")]
pub struct CallError {
    /// The component.
    pub who: Box<Who>,
    /// The function of the contract.
    pub function: &'static str,
    /// How.
    pub failure: CallFailure,
}

/// How a call failed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CallFailure {
    /// Deterministic: the same call will always need more.
    #[error("it used up its {fuel_max} units of fuel")]
    OutOfFuel {
        /// The limit.
        fuel_max: u64,
    },
    /// It asked for more memory than it may have, and gave up.
    #[error("it needs more than its {memory_bytes_max} bytes of memory")]
    OutOfMemory {
        /// The limit.
        memory_bytes_max: usize,
    },
    /// Recursion without end.
    #[error("its call stack is exhausted")]
    StackExhausted,
    /// The answer is larger than may be brought over.
    #[error("it answers, or logs in one line, more than {answer_bytes_max} bytes")]
    AnswerTooLarge {
        /// The limit.
        answer_bytes_max: usize,
    },
    /// It wrote more lines of log than it may.
    #[error("it wrote more than {log_lines_max} lines of log")]
    LogFlood {
        /// The limit.
        log_lines_max: usize,
    },
    /// It trapped: a panic, an index out of bounds, a division by zero.
    #[error("it trapped: {message}")]
    Trap {
        /// What happened and where.
        message: String,
    },
    /// It answered that it cannot decide.
    #[error("it answered with a failure, `{code}`: {message}")]
    Failed {
        /// Its own code.
        code: String,
        /// Its own message.
        message: String,
    },
    /// It was not asked: its settings do not fit it.
    #[error("its settings are wrong: {problems}")]
    BadSettings {
        /// Setting and problem, all of them.
        problems: String,
    },
    /// It answered what must not be.
    #[error("it {0}")]
    Broken(#[from] Broken),
    /// Not a decision and no fault of the component's: try again later.
    #[error("busy: {why}")]
    Busy {
        /// Deadline, memory pressure or a full pool.
        why: String,
    },
}

impl CallFailure {
    /// Stable kebab-case code.
    #[must_use]
    pub fn code(&self) -> &str {
        match self {
            Self::OutOfFuel { .. } => "out-of-fuel",
            Self::OutOfMemory { .. } => "out-of-memory",
            Self::StackExhausted => "stack-exhausted",
            Self::AnswerTooLarge { .. } => "answer-too-large",
            Self::LogFlood { .. } => "log-flood",
            Self::Trap { .. } => "trap",
            Self::Failed { .. } => "component-failed",
            Self::BadSettings { .. } => "bad-settings",
            Self::Broken(broken) => broken.rule,
            Self::Busy { .. } => "busy",
        }
    }

    /// Whether this is no fault of the component's and says nothing about the request.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        matches!(self, Self::Busy { .. })
    }
}

/// Why a host could not be made.
#[derive(Debug, Error)]
pub enum HostError {
    /// The engine refuses its settings.
    #[error("the WebAssembly engine cannot be configured: {0}")]
    Engine(String),
    /// The thread that watches deadlines cannot be started.
    #[error("the deadline thread cannot be started: {0}")]
    Thread(io::Error),
    /// The directory for compiled code is not usable.
    #[error("the code cache `{path}` cannot be used: {cause}")]
    Cache {
        /// The directory.
        path: String,
        /// Why.
        cause: String,
    },
}

/// A guest's text, short and harmless enough for an error: nothing in it can move a terminal's cursor.
pub(crate) fn clip(text: &str) -> String {
    const CHARS_MAX: usize = 200;
    let mut clipped = String::new();
    for c in text.chars().take(CHARS_MAX) {
        match c {
            // Quotes are escaped by `escape_debug` too, and do no harm in prose.
            '\'' | '"' | '\\' => clipped.push(c),
            c => clipped.extend(c.escape_debug()),
        }
    }
    if text.chars().nth(CHARS_MAX).is_some() {
        clipped.push_str(" ...");
    }
    clipped
}
