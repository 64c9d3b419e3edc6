//! A progress bar for large files.
use harken_capture::Merge;
use indicatif::{ProgressBar, ProgressStyle};
use std::io::IsTerminal as _;

/// Files smaller than this are read in a blink.
const MIN_SIZE: u64 = 64 << 20;

/// The bar, if there is one.
pub struct Progress(Option<ProgressBar>);

impl Progress {
    /// A bar for `size` bytes on standard error, when that is a terminal, nothing else is printed there
    /// (`table_shown`), and it takes long enough to be worth it.
    pub fn new(size: Option<u64>, table_shown: bool) -> Self {
        let wanted = size.is_some_and(|s| s >= MIN_SIZE) && std::io::stderr().is_terminal() && !table_shown;
        let bar = size.filter(|_| wanted).map(|size| {
            let bar = ProgressBar::new(size);
            let template =
                "{bar:40} {percent:>3} %  {bytes}/{total_bytes}  {bytes_per_sec}  {msg}  {eta} left";
            if let Ok(style) = ProgressStyle::with_template(template) {
                bar.set_style(style);
            }
            bar
        });
        Self(bar)
    }

    /// Shows how far reading is.
    pub fn update(&mut self, input: &Merge, packets: u64) {
        if let Some(bar) = &self.0 {
            bar.set_position(input.readers().iter().map(harken_capture::Reader::position).sum());
            bar.set_message(format!("{packets} packets"));
        }
    }

    /// Takes the bar away.
    pub fn finish(&mut self) {
        if let Some(bar) = self.0.take() {
            bar.finish_and_clear();
        }
    }
}
