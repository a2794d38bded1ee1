//! DEBUG MALLCTL and MALLCTL-STR: the allocator's own figures and settings, by jemalloc's names.

use std::io;

use crate::commands::arg;
use crate::resp::errors::CmdError;
use crate::server::parts::Call;
use crate::sys::mallctl;
use crate::util::path::os_error;

fn refused(error: io::Error) -> CmdError {
    CmdError::err(os_error(&error))
}

/// `DEBUG MALLCTL name [number]`: the number, or what it was before it was replaced.
pub(super) fn number(call: &mut Call<'_>) -> Result<(), CmdError> {
    let name = call.argv.at(2);
    let number = match call.argv.get(3) {
        None => mallctl::read(name),
        Some(text) => mallctl::write(name, arg::int(text)?),
    };
    call.reply.int(number.map_err(refused)?);
    Ok(())
}

/// `DEBUG MALLCTL-STR name [text]`: the text, or what it was before it was replaced. VOID in place
/// of a text has the allocator do something that takes none, as `arena.4096.purge` does.
pub(super) fn text(call: &mut Call<'_>) -> Result<(), CmdError> {
    let name = call.argv.at(2);
    let new = call.argv.get(3).copied();
    match (mallctl::read_text(name), new) {
        (Ok(old), new) => {
            if let Some(new) = new.filter(|new| *new != b"VOID") {
                // Compat: the old text is the reply, whether the new one was taken or not.
                let _ = mallctl::write_text(name, new);
            }
            match old {
                Some(old) => call.reply.bulk(&old),
                None => call.reply.null(),
            }
            return Ok(());
        }
        (Err(e), Some(b"VOID")) if e.kind() == io::ErrorKind::PermissionDenied => {
            mallctl::act(name).map_err(refused)?;
        }
        (Err(e), _) => return Err(refused(e)),
    }
    call.reply.ok();
    Ok(())
}
