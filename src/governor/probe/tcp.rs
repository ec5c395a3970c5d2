//! The time of a connection.

use std::time::Instant;

use super::felt::Sample;
use super::wire;

/// Connects, and hangs up.
pub async fn ask(address: &str) -> Result<Sample, String> {
    let begun = Instant::now();
    wire::connect(&wire::address(address)?).await?;
    Ok(Sample::latency(begun.elapsed()))
}
