//! Figures of this process, and how they are told.

use anyhow::Context as _;

/// The memory that the process has, in kB.
pub(crate) fn memory_kb() -> anyhow::Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let figure = line
        .and_then(|line| line.split_whitespace().next())
        .context("VmRSS")?;
    Ok(figure.parse()?)
}

#[expect(clippy::print_stdout, reason = "a benchmark prints its figures")]
pub(crate) fn say(line: &str) {
    println!("{line}");
}
