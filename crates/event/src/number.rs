//! Numbers and times as text, by integer arithmetic alone.
use harken_wire::Timestamp;
use std::cell::Cell;

/// Appends a decimal number.
#[inline]
pub(crate) fn decimal(out: &mut Vec<u8>, value: u64) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

/// The `N` low decimal digits of `value`, with leading zeros.
#[inline]
fn digits<const N: usize>(mut value: u64) -> [u8; N] {
    let mut text = [b'0'; N];
    for digit in text.iter_mut().rev() {
        *digit = b'0' + (value % 10) as u8;
        value /= 10;
    }
    text
}

/// Whole seconds and microseconds, rounded to the nearest as Zeek's `%.6f` does.
#[inline]
const fn micros(nanos: u64) -> (u64, u64) {
    let micros = nanos / 1000 + (nanos % 1000 >= 500) as u64;
    (micros / 1_000_000, micros % 1_000_000)
}

/// Appends nanoseconds as seconds with exactly six decimals: how Zeek's tab-separated logs print times and
/// intervals.
#[inline]
pub(crate) fn seconds_fixed(out: &mut Vec<u8>, nanos: u64) {
    let (seconds, fraction) = micros(nanos);
    decimal(out, seconds);
    out.push(b'.');
    out.extend_from_slice(&digits::<6>(fraction));
}

/// Appends nanoseconds as seconds with one to six decimals, as a JSON number: trailing zeros are dropped,
/// but a decimal point stays.
#[inline]
pub(crate) fn seconds_short(out: &mut Vec<u8>, nanos: u64) {
    let (seconds, mut fraction) = micros(nanos);
    decimal(out, seconds);
    out.push(b'.');
    let text = digits::<6>(fraction);
    let mut kept = text.len();
    while kept > 1 && fraction.is_multiple_of(10) {
        fraction /= 10;
        kept -= 1;
    }
    out.extend_from_slice(text.get(..kept).unwrap_or(&text));
}

/// Proleptic Gregorian date of a day counted from 1970-01-01, as (year, month, day).
const fn civil(days: u64) -> (u64, u64, u64) {
    // Count from 0000-03-01, so that the leap day is the last of its year.
    let z = days + 719_468;
    let era = z / 146_097;
    let day_of_era = z % 146_097;
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (year_of_era + era * 400 + (month <= 2) as u64, month, day)
}

/// Date and time of day in UTC.
struct Calendar {
    year: [u8; 4],
    month: [u8; 2],
    day: [u8; 2],
    hour: [u8; 2],
    minute: [u8; 2],
    second: [u8; 2],
}

impl Calendar {
    fn of(ts: Timestamp) -> Self {
        let seconds = ts.0 / 1_000_000_000;
        let (year, month, day) = civil(seconds / 86_400);
        Self {
            year: digits(year),
            month: digits(month),
            day: digits(day),
            hour: digits(seconds / 3600 % 24),
            minute: digits(seconds / 60 % 60),
            second: digits(seconds % 60),
        }
    }
}

thread_local! {
    /// The last second that was written and its text: the times of one event, and of its neighbours, mostly
    /// lie in the same second.
    static LAST_SECOND: Cell<(u64, [u8; 19])> = const { Cell::new((u64::MAX, [b'0'; 19])) };
}

/// `2026-11-24T12:36:18`.
fn date_time(ts: Timestamp) -> [u8; 19] {
    let second = ts.0 / 1_000_000_000;
    let (last, text) = LAST_SECOND.get();
    if last == second {
        return text;
    }
    let c = Calendar::of(ts);
    let ([y0, y1, y2, y3], [mo0, mo1], [d0, d1]) = (c.year, c.month, c.day);
    let ([h0, h1], [mi0, mi1], [s0, s1]) = (c.hour, c.minute, c.second);
    let text = [y0, y1, y2, y3, b'-', mo0, mo1, b'-', d0, d1, b'T', h0, h1, b':', mi0, mi1, b':', s0, s1];
    LAST_SECOND.set((second, text));
    text
}

/// RFC 3339 in UTC with nanoseconds: `2026-11-24T12:36:18.000000000Z`.
pub fn rfc3339(ts: Timestamp) -> [u8; 30] {
    let mut out = [b'Z'; 30];
    if let Some((date, rest)) = out.split_first_chunk_mut::<19>() {
        *date = date_time(ts);
        if let Some(([dot, fraction @ ..], _)) = rest.split_first_chunk_mut::<10>() {
            *dot = b'.';
            *fraction = digits(ts.0 % 1_000_000_000);
        }
    }
    out
}

/// Appends the time as Zeek's `#open` and `#close` lines give it, in UTC: `2026-11-24-12-36-18`.
pub(crate) fn zeek_open(out: &mut Vec<u8>, ts: Timestamp) {
    let c = Calendar::of(ts);
    out.extend_from_slice(&c.year);
    for part in [c.month, c.day, c.hour, c.minute, c.second] {
        out.push(b'-');
        out.extend_from_slice(&part);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds() {
        for (nanos, short, fixed) in [
            (0, "0.0", "0.000000"),
            (1_262_626_166_927_934_000, "1262626166.927934", "1262626166.927934"),
            (1_315_799_856_264_750_000, "1315799856.26475", "1315799856.264750"),
            (1_000_000_000, "1.0", "1.000000"),
            (1_999_999_999, "2.0", "2.000000"),
            (1_100_000_499, "1.1", "1.100000"),
            (1_000_001_500, "1.000002", "1.000002"),
            (u64::MAX, "18446744073.709552", "18446744073.709552"),
        ] {
            let (mut a, mut b) = (Vec::new(), Vec::new());
            seconds_short(&mut a, nanos);
            seconds_fixed(&mut b, nanos);
            assert_eq!((a.as_slice(), b.as_slice()), (short.as_bytes(), fixed.as_bytes()), "{nanos}");
        }
    }

    #[test]
    fn dates() {
        for (seconds, nanos, want) in [
            (0, 0, "1970-01-01T00:00:00.000000000Z"),
            (951_782_399, 1, "2000-02-28T23:59:59.000000001Z"),
            (951_782_400, 0, "2000-02-29T00:00:00.000000000Z"),
            (1_709_251_199, 999_999_999, "2024-02-29T23:59:59.999999999Z"),
            (1_709_251_200, 0, "2024-03-01T00:00:00.000000000Z"),
            (4_107_542_400, 0, "2100-03-01T00:00:00.000000000Z"),
            (1_795_523_778, 5_000, "2026-11-24T12:36:18.000005000Z"),
        ] {
            assert_eq!(rfc3339(Timestamp::new(seconds, nanos)), want.as_bytes(), "{seconds}");
        }
        assert_eq!(rfc3339(Timestamp(u64::MAX)).get(..10), Some(b"2554-07-21".as_slice()));
        let mut out = Vec::new();
        zeek_open(&mut out, Timestamp::new(1_795_523_778, 0));
        assert_eq!(out, b"2026-11-24-12-36-18");
    }
}
