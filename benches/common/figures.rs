//! Small sums the benchmarks share.

/// The middle of some measurements.
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    if sorted.len() % 2 == 1 { sorted[middle] } else { (sorted[middle - 1] + sorted[middle]) / 2.0 }
}

/// The least and the most of some measurements, with so many digits behind the point, as ` (0.75-1.90)`.
pub fn spread(values: &[f64], digits: usize) -> String {
    let (least, most) = values.iter().fold((f64::MAX, 0.0_f64), |(least, most), v| (least.min(*v), most.max(*v)));
    format!(" ({least:.digits$}-{most:.digits$})")
}

/// Bytes in MiB.
pub fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}
