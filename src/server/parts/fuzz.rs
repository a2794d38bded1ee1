//! What fuzzing calls of the parts.

use super::script::{Bounds, Scripting};
use crate::persist::dump::{dump_libraries, restore_libraries, seal_libraries};

/// What an interpreter of libraries may take, and so much more for each byte of the input.
const BYTES: usize = 1 << 20;
const BYTES_PER_BYTE: usize = 1 << 10;

/// Restores libraries from a payload, as it is and with a sound footer. They are restored whole or
/// not at all, and what is there afterwards can be dumped and restored again.
pub fn libraries(data: &[u8]) {
    let bounds = Bounds { hurry: true, memory: BYTES + BYTES_PER_BYTE * data.len() };
    for payload in [data.to_vec(), seal_libraries(data.to_vec())] {
        let Ok(codes) = restore_libraries(&payload) else { continue };
        let mut scripting = Scripting::default();
        for (replace, flush) in [(false, false), (true, false), (false, true)] {
            let before = scripting.texts().len();
            let done = scripting.restore(&codes, replace, flush, bounds);
            let after = scripting.texts();
            assert_eq!(after.len(), if done.is_ok() { codes.len() } else { before });
            if done.is_ok() {
                let payload = dump_libraries(after.iter().map(|library| &library.code[..]));
                let again = restore_libraries(&payload).expect("our own payload");
                // Its code may have used up its time or its memory.
                if let Ok(()) = Scripting::default().restore(&again, false, false, bounds) {
                    assert_eq!(again.len(), codes.len());
                }
            }
        }
    }
}
