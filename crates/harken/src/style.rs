//! Colours and units for people.
use anstyle::{AnsiColor, Style};

/// Colours, or none.
#[derive(Clone, Copy)]
pub struct Palette {
    on: bool,
}

impl Palette {
    /// Colours when `on`.
    pub const fn new(on: bool) -> Self {
        Self { on }
    }

    /// Colours when written to a terminal, unless the environment forbids them (<https://no-color.org>).
    pub fn auto(terminal: bool) -> Self {
        Self::new(terminal && std::env::var_os("NO_COLOR").is_none())
    }

    fn paint(self, style: Style, text: &str) -> String {
        if self.on { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }

    /// Something less important.
    pub fn dim(self, text: &str) -> String {
        self.paint(Style::new().dimmed(), text)
    }

    /// A heading.
    pub fn bold(self, text: &str) -> String {
        self.paint(Style::new().bold(), text)
    }

    /// Something to look at.
    pub fn warn(self, text: &str) -> String {
        self.paint(AnsiColor::Yellow.on_default(), text)
    }

    /// A request method.
    pub fn method(self, text: &str) -> String {
        self.paint(AnsiColor::Cyan.on_default(), text)
    }

    /// A status code, coloured by its class.
    pub fn status(self, text: &str, status: u16) -> String {
        let color = match status {
            200..=299 => AnsiColor::Green,
            300..=399 => AnsiColor::Blue,
            400..=499 => AnsiColor::Yellow,
            500..=599 => AnsiColor::Red,
            _ => return self.dim(text),
        };
        self.paint(color.on_default(), text)
    }
}

/// Bytes in decimal units: `999 B`, `1.2 kB`.
pub fn human_bytes(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["B", "kB", "MB", "GB", "TB", "PB"];
    let mut value = bytes as f64;
    let mut unit = 0;
    while value >= 999.95 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    let name = UNITS.get(unit).copied().unwrap_or_default();
    if unit == 0 { format!("{bytes} {name}") } else { format!("{value:.1} {name}") }
}

/// A duration in the unit that suits it: `830 µs`, `12.5 ms`, `3.2 s`.
pub fn human_nanos(nanos: u64) -> String {
    match nanos {
        0..1_000_000 => format!("{} µs", nanos / 1_000),
        1_000_000..1_000_000_000 => format!("{:.1} ms", nanos as f64 / 1e6),
        _ => format!("{:.1} s", nanos as f64 / 1e9),
    }
}

/// A count of things, with the plural where it is one: `1 packet`, `1,234 packets`.
pub fn counted(count: u64, thing: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{} {thing}{plural}", grouped(count))
}

/// A count with thousands separated: `1,234,567`.
pub fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units() {
        assert_eq!(human_bytes(0), "0 B");
        assert_eq!(human_bytes(999), "999 B");
        assert_eq!(human_bytes(1_234), "1.2 kB");
        assert_eq!(human_bytes(999_999), "1.0 MB");
        assert_eq!(human_nanos(830_000), "830 µs");
        assert_eq!(human_nanos(12_500_000), "12.5 ms");
        assert_eq!(grouped(7), "7");
        assert_eq!(grouped(1_234_567), "1,234,567");
    }
}
