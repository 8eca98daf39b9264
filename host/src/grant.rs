//! What a component asks for beyond the standard limits, and what a merchant grants it. The request stands in the
//! component's own bytes, so its digest covers it and it is read without running anything. Must not know who grants.

use std::fmt;
use std::time::Duration;

use crate::limits::Limits;

/// Name of the custom section of a component that holds its request: a JSON object of the fields of [`Grant`].
pub const LIMITS_SECTION: &str = "giftcard:limits";

/// Bytes that the section may have.
const SECTION_BYTES_MAX: usize = 4 << 10;

/// Most fuel that can be granted: about two seconds of work.
pub const FUEL_CEILING: u64 = 2_000_000_000;

/// Longest deadline that can be granted, in milliseconds.
pub const DEADLINE_MS_CEILING: u64 = 10_000;

/// Most memory of a call that can be granted, in bytes.
pub const MEMORY_BYTES_CEILING: u64 = 128 << 20;

/// Most table elements of a call that can be granted. Slots of the pool for tables are memory that may be used, not only
/// address space, so this is no larger than it has to be.
pub const TABLE_ELEMENTS_CEILING: u64 = 50_000;

/// Largest component that can be granted, in bytes.
pub const COMPONENT_BYTES_CEILING: u64 = 64 << 20;

/// Most functions of a component that can be granted.
pub const FUNCTIONS_CEILING: u64 = 200_000;

/// Most local variables of one function that can be granted.
pub const FUNCTION_LOCALS_CEILING: u64 = 20_000;

/// Most bytes of one function's code that can be granted.
pub const FUNCTION_BYTES_CEILING: u64 = 2 << 20;

macro_rules! grant {
    ($($(#[$doc:meta])* $field:ident, $unit:literal, $ceiling:ident, $get:expr, $set:expr;)*) => {
        /// Limits above the standard ones: what a component asks for ([`Grant::wanted_by`], [`crate::Host::wanted`]), or
        /// what somebody grants it ([`crate::Host::load_granted`]). `None` is the standard limit.
        ///
        /// ```
        /// use giftcard_host::Grant;
        ///
        /// let granted = Grant::from_json(r#"{"memory_bytes": 33554432, "fuel": 100000000}"#)?;
        /// assert_eq!(granted.memory_bytes, Some(32 << 20));
        /// assert!(granted.covers(&Grant { fuel: Some(60_000_000), ..Grant::default() }));
        /// assert_eq!(Grant::from_json(&granted.to_json())?, granted);
        /// # Ok::<(), String>(())
        /// ```
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct Grant {
            $($(#[$doc])* pub $field: Option<u64>,)*
        }

        impl Grant {
            /// Name and number of everything that is above the standard.
            pub fn fields(&self) -> impl Iterator<Item = (&'static str, u64)> {
                [$((stringify!($field), self.$field)),*].into_iter().filter_map(|(name, value)| Some((name, value?)))
            }

            /// Sets a field by its name.
            fn set(&mut self, name: &str, value: u64) -> Result<(), String> {
                let field = match name {
                    $(stringify!($field) => &mut self.$field,)*
                    _ => {
                        let known = [$(concat!("`", stringify!($field), "`")),*].join(", ");
                        return Err(format!("`{}` is no limit; known are {known}", crate::error::clip(name)));
                    }
                };
                match field.replace(value) {
                    None => Ok(()),
                    Some(_) => Err(format!("`{name}` stands twice")),
                }
            }

            /// Whether everything that is asked for is granted by `self`.
            #[must_use]
            pub fn covers(&self, wanted: &Self) -> bool {
                true $(&& wanted.$field.is_none_or(|wanted| self.$field.is_some_and(|granted| granted >= wanted)))*
            }

            /// What of it is above these limits: that alone needs anyone's consent.
            #[must_use]
            pub fn beyond(&self, limits: &Limits) -> Self {
                let standard = |get: fn(&Limits) -> u64| get(limits);
                Self { $($field: self.$field.filter(|wanted| *wanted > standard($get)),)* }
            }

            /// These limits, raised to what stands here.
            pub(crate) fn raise(&self, limits: &Limits) -> Limits {
                let mut raised = limits.clone();
                let beyond = self.beyond(limits);
                $(if let Some(value) = beyond.$field {
                    let set: fn(&mut Limits, u64) = $set;
                    set(&mut raised, value);
                })*
                raised
            }

            /// The first field above what can be granted at all: its name, what it says, and the most that it may say.
            fn above_ceiling(&self) -> Option<(&'static str, u64, u64)> {
                let ceilings = [$((stringify!($field), self.$field, $ceiling)),*];
                ceilings.into_iter().find_map(|(name, value, most)| {
                    value.filter(|value| *value > most).map(|value| (name, value, most))
                })
            }
        }

        impl fmt::Display for Grant {
            /// For people: "33554432 bytes of memory, 100000000 units of fuel a call", or "nothing beyond the standard limits".
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let parts = [$(self.$field.map(|value| format!(concat!("{} ", $unit), Number(value)))),*];
                let parts: Vec<String> = parts.into_iter().flatten().collect();
                f.write_str(if parts.is_empty() { "nothing beyond the standard limits" } else { "" })?;
                f.write_str(&parts.join(", "))
            }
        }
    };
}

grant! {
    /// Units of fuel of one call, at most [`FUEL_CEILING`].
    fuel, "units of fuel a call", FUEL_CEILING,
        |limits| limits.fuel_max, |limits, value| limits.fuel_max = value;
    /// Wall-clock backstop of one call in milliseconds, at most [`DEADLINE_MS_CEILING`].
    deadline_ms, "ms a call", DEADLINE_MS_CEILING,
        |limits| u64::try_from(limits.deadline.as_millis()).unwrap_or(u64::MAX),
        |limits, value| limits.deadline = Duration::from_millis(value);
    /// Bytes of all linear memories of one call together, at most [`MEMORY_BYTES_CEILING`].
    memory_bytes, "bytes of memory", MEMORY_BYTES_CEILING,
        |limits| limits.memory_bytes_max as u64, |limits, value| limits.memory_bytes_max = size(value);
    /// Elements of all tables of one call together, at most [`TABLE_ELEMENTS_CEILING`].
    table_elements, "table elements", TABLE_ELEMENTS_CEILING,
        |limits| limits.table_elements_max as u64, |limits, value| limits.table_elements_max = size(value);
    /// Bytes of the component's file, at most [`COMPONENT_BYTES_CEILING`].
    component_bytes, "bytes of component", COMPONENT_BYTES_CEILING,
        |limits| limits.component_bytes_max as u64, |limits, value| limits.component_bytes_max = size(value);
    /// Functions of the component, at most [`FUNCTIONS_CEILING`].
    functions, "functions", FUNCTIONS_CEILING,
        |limits| limits.functions_max as u64, |limits, value| limits.functions_max = size(value);
    /// Local variables of one function, at most [`FUNCTION_LOCALS_CEILING`].
    function_locals, "local variables in one function", FUNCTION_LOCALS_CEILING,
        |limits| u64::from(limits.function_locals_max),
        |limits, value| limits.function_locals_max = u32::try_from(value).unwrap_or(u32::MAX);
    /// Bytes of one function's code, at most [`FUNCTION_BYTES_CEILING`].
    function_bytes, "bytes of code in one function", FUNCTION_BYTES_CEILING,
        |limits| limits.function_bytes_max as u64, |limits, value| limits.function_bytes_max = size(value);
}

fn size(value: u64) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
}

/// With commas between thousands.
struct Number(u64);

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.0.to_string();
        for (place, digit) in digits.chars().enumerate() {
            if place > 0 && (digits.len() - place).is_multiple_of(3) {
                f.write_str(",")?;
            }
            write!(f, "{digit}")?;
        }
        Ok(())
    }
}

impl Grant {
    /// Whether nothing is asked for or granted beyond the standard limits.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }

    /// What the component asks for in its own bytes; nothing where it has no such section. Bytes that are no component ask
    /// for nothing: loading says what is wrong with them.
    ///
    /// # Errors
    /// What is wrong with the section, or which number is above what can be granted at all.
    pub fn wanted_by(component: &[u8]) -> Result<Self, String> {
        let mut sections = sections(component).filter(|(name, _)| *name == LIMITS_SECTION.as_bytes());
        let wrong = |problem: String| format!("its section `{LIMITS_SECTION}` is wrong: {problem}");
        let Some((_, text)) = sections.next() else { return Ok(Self::default()) };
        if sections.next().is_some() {
            return Err(wrong("it stands there twice".to_string()));
        }
        if text.len() > SECTION_BYTES_MAX {
            return Err(wrong(format!("it has {} bytes; at most {SECTION_BYTES_MAX} are allowed", text.len())));
        }
        let text = std::str::from_utf8(text).map_err(|_| wrong("it is no text in UTF-8".to_string()))?;
        Self::from_json(text).map_err(wrong)
    }

    /// From a JSON object such as `{"memory_bytes": 33554432, "fuel": 100000000}`.
    ///
    /// # Errors
    /// What is wrong: no such object, a name that is no limit or stands twice, a number below 1 or above its ceiling.
    pub fn from_json(text: &str) -> Result<Self, String> {
        let shape =
            || "it must be a JSON object of limits and whole numbers, such as `{\"fuel\": 100000000}`".to_string();
        let inner = text.trim().strip_prefix('{').and_then(|text| text.strip_suffix('}')).ok_or_else(shape)?.trim();
        let mut grant = Self::default();
        // Names have no commas, colons or escapes, and numbers are whole: this is all of JSON that there can be.
        for member in inner.split(',').filter(|_| !inner.is_empty()) {
            let (name, value) = member.split_once(':').ok_or_else(shape)?;
            let name = name.trim().strip_prefix('"').and_then(|name| name.strip_suffix('"')).ok_or_else(shape)?;
            let value = value.trim();
            let is_whole = value.bytes().all(|byte| byte.is_ascii_digit()) && !value.starts_with('0');
            let value = value.parse().ok().filter(|_| is_whole).ok_or_else(|| {
                format!("`{}` is `{}`, not a whole number from 1", crate::error::clip(name), crate::error::clip(value))
            })?;
            grant.set(name, value)?;
        }
        match grant.above_ceiling() {
            Some((name, value, most)) => Err(format!("`{name}` is {value}; more than {most} cannot be granted")),
            None => Ok(grant),
        }
    }

    /// As a JSON object, which [`Grant::from_json`] reads.
    #[must_use]
    pub fn to_json(&self) -> String {
        let members: Vec<String> = self.fields().map(|(name, value)| format!("\"{name}\":{value}")).collect();
        format!("{{{}}}", members.join(","))
    }

    /// The component with this request in it, in place of one that is there. Nothing asked for is no section. Bytes that
    /// are no component come back as they are.
    #[must_use]
    pub fn write_into(&self, component: &[u8]) -> Vec<u8> {
        let mut written = component.to_vec();
        for section in section_ranges(component).into_iter().rev() {
            if custom(&component[section.content.clone()]).is_some_and(|(name, _)| name == LIMITS_SECTION.as_bytes())
                && section.id == 0
            {
                written.drain(section.start..section.content.end);
            }
        }
        if self.is_nothing() || !is_component(component) {
            return written;
        }
        let mut content = Vec::new();
        leb128(&mut content, LIMITS_SECTION.len());
        content.extend_from_slice(LIMITS_SECTION.as_bytes());
        content.extend_from_slice(self.to_json().as_bytes());
        written.push(0);
        leb128(&mut written, content.len());
        written.extend_from_slice(&content);
        written
    }
}

/// A section of the outermost component.
struct Section {
    id: u8,
    start: usize,
    content: std::ops::Range<usize>,
}

const HEADER: &[u8] = b"\0asm\x0d\0\x01\0";

fn is_component(bytes: &[u8]) -> bool {
    bytes.starts_with(HEADER)
}

/// As far as they can be told apart: what does not parse is refused later, by whoever parses all of it.
fn section_ranges(component: &[u8]) -> Vec<Section> {
    let mut sections = Vec::new();
    let mut place = HEADER.len();
    while is_component(component) && place < component.len() {
        let Some((size, content)) = number(component, place + 1) else { break };
        let Some(end) = content.checked_add(size).filter(|end| *end <= component.len()) else { break };
        sections.push(Section { id: component[place], start: place, content: content..end });
        place = end;
    }
    sections
}

/// Name and content of each custom section.
fn sections(component: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let customs = section_ranges(component).into_iter().filter(|section| section.id == 0);
    customs.filter_map(|section| custom(&component[section.content]))
}

fn custom(content: &[u8]) -> Option<(&[u8], &[u8])> {
    let (size, start) = number(content, 0)?;
    content.get(start..)?.split_at_checked(size)
}

/// An unsigned LEB128 number of at most 32 bits, and where what follows it begins.
fn number(bytes: &[u8], start: usize) -> Option<(usize, usize)> {
    let mut value = 0_u64;
    for (place, byte) in bytes.iter().skip(start).take(5).enumerate() {
        value |= u64::from(byte & 0x7f) << (7 * place);
        if byte & 0x80 == 0 {
            return Some((u32::try_from(value).ok()? as usize, start + place + 1));
        }
    }
    None
}

fn leb128(bytes: &mut Vec<u8>, mut value: usize) {
    loop {
        let byte = (value & 0x7f) as u8;
        value >>= 7;
        bytes.push(if value == 0 { byte } else { byte | 0x80 });
        if value == 0 {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(text: &str, why: &str) {
        let problem = Grant::from_json(text).unwrap_err();
        assert!(problem.contains(why), "{text}: {problem}");
    }

    #[test]
    fn a_request_is_an_object_of_known_limits_and_whole_numbers() {
        assert_eq!(Grant::from_json(" { } ").unwrap(), Grant::default());
        let read = Grant::from_json("{\n \"fuel\" : 7,\"memory_bytes\":134217728}").unwrap();
        assert_eq!(read, Grant { fuel: Some(7), memory_bytes: Some(128 << 20), ..Grant::default() });
        for text in ["", "[]", "{", "{\"fuel\"}", "{fuel:1}", "{\"fuel\":1,}"] {
            wrong(text, "it must be a JSON object");
        }
        for value in ["0", "-1", "1.5", "+1", "01", "1e3", "\"1\"", "99999999999999999999", "", "null"] {
            wrong(&format!("{{\"fuel\":{value}}}"), "not a whole number from 1");
        }
        wrong("{\"fuel\":1,\"fuel\":1}", "`fuel` stands twice");
        wrong("{\"stack\":1}", "`stack` is no limit; known are `fuel`, `deadline_ms`");
        wrong("{\"fuel\":2000000001}", "`fuel` is 2000000001; more than 2000000000 cannot be granted");
    }

    #[test]
    fn every_ceiling_is_above_its_standard_limit() {
        let all = "{\"fuel\":2000000000,\"deadline_ms\":10000,\"memory_bytes\":134217728,\"table_elements\":50000,\
                   \"component_bytes\":67108864,\"functions\":200000,\"function_locals\":20000,\"function_bytes\":2097152}";
        let grant = Grant::from_json(all).unwrap();
        assert_eq!(grant.to_json(), all);
        assert_eq!(grant.beyond(&Limits::default()), grant);
        let raised = grant.raise(&Limits::default());
        assert!(grant.beyond(&raised).is_nothing());
        assert_eq!(raised.deadline, Duration::from_secs(10));
        // Below the standard a request changes nothing.
        let little = Grant { fuel: Some(1), deadline_ms: Some(1), ..Grant::default() };
        assert!(little.beyond(&Limits::default()).is_nothing());
        assert_eq!(little.raise(&Limits::default()), Limits::default());
    }

    #[test]
    fn a_grant_covers_what_is_not_above_it_field_by_field() {
        let grant = Grant { fuel: Some(10), memory_bytes: Some(20), ..Grant::default() };
        assert!(grant.covers(&Grant::default()) && grant.covers(&grant));
        assert!(grant.covers(&Grant { fuel: Some(9), ..Grant::default() }));
        assert!(!grant.covers(&Grant { fuel: Some(11), ..Grant::default() }));
        assert!(!grant.covers(&Grant { functions: Some(1), ..Grant::default() }));
        assert!(!Grant::default().covers(&grant));
        assert_eq!(grant.to_string(), "10 units of fuel a call, 20 bytes of memory");
        assert_eq!(
            Grant { functions: Some(1_234_567), ..grant }.to_string().split(", ").last(),
            Some("1,234,567 functions")
        );
        assert_eq!(Grant::default().to_string(), "nothing beyond the standard limits");
    }

    #[test]
    fn what_is_written_into_a_component_is_read_from_it_and_replaced() {
        // An empty component with a custom section of somebody else's.
        let component = [HEADER, &[0, 5, 1, b'x', 1, 2, 3]].concat();
        assert_eq!(Grant::wanted_by(&component), Ok(Grant::default()));
        let grant = Grant { fuel: Some(60_000_000), ..Grant::default() };
        let written = grant.write_into(&component);
        assert!(written.starts_with(&component));
        assert_eq!(Grant::wanted_by(&written), Ok(grant));
        let more = Grant { memory_bytes: Some(1), function_bytes: Some(300_000), ..grant };
        assert_eq!(Grant::wanted_by(&more.write_into(&written)), Ok(more));
        assert_eq!(Grant::default().write_into(&written), component);
        let twice = [&written[..], &written[component.len()..]].concat();
        assert!(Grant::wanted_by(&twice).unwrap_err().contains("it stands there twice"));
        for end in 0..written.len() {
            let cut = &written[..end];
            assert!(Grant::wanted_by(cut).is_ok_and(|grant| grant.is_nothing()), "cut at {end}");
        }
        assert_eq!(grant.write_into(b"no component"), b"no component");
        let long = [HEADER, &[0, 0xff, 0xff, 0xff, 0xff, 0xff, 1]].concat();
        assert!(Grant::wanted_by(&long).is_ok_and(|grant| grant.is_nothing()));
    }
}
