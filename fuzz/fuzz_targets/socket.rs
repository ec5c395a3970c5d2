//! A line of the control socket, from either side: no panic, and what was understood is understood again as it is told.
#![no_main]

use govern::daemon::protocol::{Question, Reply};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|line: &[u8]| {
    if let Ok(question) = serde_json::from_slice::<Question>(line) {
        let told = serde_json::to_vec(&question).expect("a question can be told");
        assert_eq!(serde_json::from_slice::<Question>(&told).expect("a question is understood"), question);
    }
    if let Ok(reply) = serde_json::from_slice::<Reply>(line) {
        let told = serde_json::to_vec(&reply).expect("a reply can be told");
        // Numbers with a fraction may lose their last digit on the way: only that it is understood is certain.
        serde_json::from_slice::<Reply>(&told).expect("a reply is understood");
    }
});
