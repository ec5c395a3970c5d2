//! Major and minor number.

use std::fmt;
use std::io::ErrorKind;
use std::str::FromStr;

use crate::kernel::Error;

/// The number of a device, as the kernel writes it: `254:0`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Number {
    /// Which driver; 0 for a file system without a device of its own.
    pub major: u32,
    /// Which of its devices.
    pub minor: u32,
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.major, self.minor)
    }
}

impl FromStr for Number {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        // `parse` takes a sign, which the kernel never writes.
        let part = |text: &str| text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok()).flatten();
        let number = text.split_once(':').and_then(|(major, minor)| Some((part(major)?, part(minor)?)));
        let (major, minor) =
            number.ok_or_else(|| Error::about("understand device number", text, ErrorKind::InvalidData))?;
        Ok(Number { major, minor })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_no_number_is_refused() {
        for text in ["", "8", "8:", ":1", "8:1:1", "+8:1", "8:-1", "8:1\n", "sda", "8:4294967296"] {
            let error = text.parse::<Number>().unwrap_err();
            assert_eq!(error.to_string(), format!("cannot understand device number `{text}`"));
        }
    }

    proptest! {
        #[test]
        fn comes_back_as_it_was_written(major: u32, minor: u32) {
            let number = Number { major, minor };
            prop_assert_eq!(number.to_string().parse::<Number>().unwrap(), number);
        }

        #[test]
        fn never_panics(text in ".{0,20}") {
            text.parse::<Number>().ok();
        }
    }
}
