//! Draws the overload curve: rates across, what is delivered up, both as parts of the knee.

use super::curve::Curve;
use crate::bench::table::grouped;
use std::fmt::Write as _;

/// The picture and the plot in it, in pixels.
const SIZE: (f64, f64) = (760.0, 470.0);
const LEFT: f64 = 64.0;
const RIGHT: f64 = 736.0;
const TOP: f64 = 56.0;
const BOTTOM: f64 = 330.0;
/// The largest multiple of the knee.
const WIDEST: f64 = 3.0;
/// Colours for a light and for a dark background, and the form of the line.
const STYLES: [(&str, &str, &str); 7] = [
    ("#0969da", "#58a6ff", "none"),
    ("#1a7f37", "#3fb950", "7 3"),
    ("#cf222e", "#ff7b72", "2 3"),
    ("#8250df", "#d2a8ff", "10 3 2 3"),
    ("#9a6700", "#d29922", "4 4"),
    ("#57606a", "#8b949e", "1 2"),
    ("#bf3989", "#f778ba", "12 4"),
];

/// The picture as SVG.
pub(super) fn draw(curves: &[Curve], cpu: Option<u32>) -> String {
    let mut out = String::new();
    let highest = curves.iter().flat_map(|curve| &curve.steps).map(|step| step.share).fold(1.0, f64::max);
    // Lines at every fifth, and room above the highest.
    let ceiling = (highest * 5.0 + 0.5).ceil() / 5.0;
    let x = |multiple: f64| LEFT + (RIGHT - LEFT) * (multiple / WIDEST).min(1.0);
    let y = |share: f64| BOTTOM - (BOTTOM - TOP) * share / ceiling;
    // Writing into a String cannot fail.
    let _ = head(&mut out, curves, cpu);
    let mut fifth = 0.0;
    while fifth / 5.0 <= ceiling + 1e-9 {
        let (share, at) = (fifth / 5.0, y(fifth / 5.0));
        let _ = writeln!(out, r#"  <path class="grid" d="M{LEFT} {at:.1}H{RIGHT}"/>"#);
        let _ = writeln!(
            out,
            r#"  <text class="text" x="{:.1}" y="{:.1}" text-anchor="end">{:.0} %</text>"#,
            LEFT - 8.0,
            at + 4.0,
            share * 100.0
        );
        fifth += 1.0;
    }
    for half in 0..=6 {
        let multiple = f64::from(half) / 2.0;
        let at = x(multiple);
        let class = if half == 2 { "knee" } else { "grid" };
        let _ = writeln!(out, r#"  <path class="{class}" d="M{at:.1} {TOP}V{BOTTOM}"/>"#);
        let _ = writeln!(
            out,
            r#"  <text class="text" x="{at:.1}" y="{:.1}" text-anchor="middle">{multiple} x</text>"#,
            BOTTOM + 18.0
        );
    }
    let middle = (LEFT + RIGHT) / 2.0;
    let _ = writeln!(
        out,
        r#"  <text class="text" x="{middle:.1}" y="{:.1}" text-anchor="middle">packets sent a second, as a multiple of the sensor's own knee (1 x: the highest rate without loss)</text>"#,
        BOTTOM + 38.0
    );
    for (number, curve) in curves.iter().enumerate() {
        let class = number % STYLES.len();
        let mut steps: Vec<_> = curve.steps.iter().filter(|step| step.multiple <= WIDEST * 1.02).collect();
        // A generator at its limit may send less than in the step before.
        steps.sort_by(|a, b| a.multiple.total_cmp(&b.multiple));
        let points: Vec<String> =
            steps.iter().map(|step| format!("{:.1},{:.1}", x(step.multiple), y(step.share))).collect();
        let _ = writeln!(out, r#"  <polyline class="line c{class}" points="{}"/>"#, points.join(" "));
        for (cx, cy) in points.iter().filter_map(|point| point.split_once(',')) {
            let _ = writeln!(out, r#"  <circle class="dot c{class}" cx="{cx}" cy="{cy}" r="3.5"/>"#);
        }
        let at = BOTTOM + 66.0 + 20.0 * number as f64;
        let _ = writeln!(out, r#"  <path class="line c{class}" d="M{LEFT} {:.1}h30"/>"#, at - 4.0);
        let _ = writeln!(
            out,
            r#"  <text class="name" x="{:.1}" y="{at:.1}">{}</text>"#,
            LEFT + 40.0,
            legend(curve)
        );
    }
    out.push_str("</svg>\n");
    out
}

fn legend(curve: &Curve) -> String {
    let doubt = if curve.contradiction().is_some() { " (doubtful)" } else { "" };
    let twice = match curve.at_twice() {
        Some(share) => format!("{:.0} % at 2 x", share * 100.0),
        None => "2 x is beyond the generator".to_owned(),
    };
    format!(
        "{}: knee at {} packets/s, {} transactions/s; {twice}{doubt}",
        curve.sensor,
        grouped(curve.packets as u64),
        grouped(curve.transactions as u64)
    )
}

fn head(out: &mut String, curves: &[Curve], cpu: Option<u32>) -> std::fmt::Result {
    let (width, fixed) = SIZE;
    let height = fixed.max(BOTTOM + 66.0 + 20.0 * curves.len() as f64);
    let share =
        cpu.map_or(String::new(), |percent| format!(", each sensor with {percent} % of one processor"));
    writeln!(
        out,
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img"
     aria-labelledby="title desc" font-family="system-ui, sans-serif" font-size="13">
  <title id="title">Transactions delivered under overload</title>"#
    )?;
    let figures: Vec<String> = curves.iter().map(legend).collect();
    writeln!(out, r#"  <desc id="desc">{}</desc>"#, figures.join(". "))?;
    out.push_str("  <style>\n    .text { fill: #57606a } .name { fill: #1f2328 } .title { fill: #1f2328; font-weight: 600; font-size: 15px }\n");
    out.push_str("    .grid { stroke: #d0d7de; stroke-width: 1; fill: none } .knee { stroke: #57606a; stroke-width: 1; fill: none }\n");
    out.push_str("    .line { stroke-width: 2; fill: none }\n");
    let used = || STYLES.iter().enumerate().take(curves.len());
    for (number, (light, _, dashes)) in used() {
        writeln!(
            out,
            "    .c{number} {{ stroke: {light} }} .dot.c{number} {{ fill: {light} }} .line.c{number} {{ stroke-dasharray: {dashes} }}"
        )?;
    }
    out.push_str("    @media (prefers-color-scheme: dark) {\n      .text { fill: #9ea7b3 } .name, .title { fill: #e6edf3 } .grid { stroke: #30363d } .knee { stroke: #8b949e }\n");
    for (number, (_, dark, _)) in used() {
        writeln!(out, "      .c{number} {{ stroke: {dark} }} .dot.c{number} {{ fill: {dark} }}")?;
    }
    out.push_str("    }\n  </style>\n");
    writeln!(
        out,
        r#"  <text class="title" x="{LEFT}" y="24">Transactions delivered a second, as part of those at the knee</text>"#
    )?;
    writeln!(out, r#"  <text class="text" x="{LEFT}" y="43">measured by cargo xtask knee{share}</text>"#)
}

#[cfg(test)]
mod tests {
    use super::super::contender::Point;
    use super::super::curve::Step;
    use super::*;

    #[test]
    fn a_line_for_each_sensor_inside_the_picture() {
        let step = |multiple: f64, share: f64| Step { multiple, share, point: Point::default() };
        let curve = |sensor| Curve {
            sensor,
            packets: 1000.0,
            transactions: 200.0,
            steps: vec![step(0.25, 0.25), step(1.0, 1.0), step(2.0, 1.3), step(3.0, 0.1)],
            generator_ended: false,
        };
        let text = draw(&[curve("harken-udp-1"), curve("suricata-single")], Some(20));
        assert_eq!(text.matches("<polyline").count(), 2);
        assert_eq!(text.matches("<circle").count(), 8);
        assert!(text.contains("130 % at 2 x") && text.contains("20 % of one processor"));
        assert!(text.contains("prefers-color-scheme: dark") && text.ends_with("</svg>\n"));
        let across = text.split("points=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
        for (x, y) in across.split(' ').filter_map(|point| point.split_once(',')) {
            let (x, y): (f64, f64) = (x.parse().unwrap(), y.parse().unwrap());
            assert!((LEFT..=RIGHT).contains(&x) && (TOP..=BOTTOM).contains(&y), "{x} {y}");
        }
    }
}
