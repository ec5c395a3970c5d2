//! A line of the control socket, from either side: no panic, and what was understood is understood again as it is told.
#![no_main]

use govern::daemon::protocol::Reply;
use govern::daemon::server::understand::understand;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|line: &[u8]| {
    if let Ok(question) = understand(line) {
        let told = serde_json::to_vec(&question).expect("a question can be told");
        assert_eq!(understand(&told).expect("a question is understood"), question);
    }
    if let Ok(reply) = serde_json::from_slice::<Reply>(line) {
        let told = serde_json::to_vec(&reply).expect("a reply can be told");
        // Only that it is understood is certain: a number with a fraction may lose its last digit on the way.
        serde_json::from_slice::<Reply>(&told).expect("a reply is understood");
    }
});
