//! Settings of the kernel that make a data server slow or unsafe, whatever its configuration.

use crate::sys::machine::Machine;

/// Something that the kernel should do otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Advice {
    /// What is wrong.
    pub text: &'static str,
    /// The command that mends it.
    pub fix: &'static str,
}

/// The queue of new connections that a server has by default.
pub(crate) const BACKLOG: u64 = 511;

/// Whether a fork can fail although there is memory.
pub(crate) fn overcommit(machine: &Machine) -> Option<Advice> {
    machine.overcommit.filter(|mode| *mode != 1).map(|_| Advice {
        text: "Memory overcommit must be enabled, or a background save may fail when memory is short",
        fix: "sysctl vm.overcommit_memory=1",
    })
}

/// Whether a write after a fork copies 2 MB.
pub(crate) fn huge_pages(machine: &Machine) -> Option<Advice> {
    machine.huge_pages_always.filter(|always| *always).map(|_| Advice {
        text: "Transparent huge pages make latency and memory use after a fork worse",
        fix: "echo madvise > /sys/kernel/mm/transparent_hugepage/enabled",
    })
}

/// Whether the queue of new connections is cut.
pub(crate) fn somaxconn(machine: &Machine) -> Option<Advice> {
    machine.somaxconn.filter(|most| *most < BACKLOG).map(|_| Advice {
        text: "The listen backlog is cut to less than 511",
        fix: "sysctl net.core.somaxconn=512",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_setting_is_judged() {
        let machine = |overcommit, always, somaxconn| Machine {
            overcommit: Some(overcommit),
            huge_pages_always: Some(always),
            somaxconn: Some(somaxconn),
            ..Machine::default()
        };
        let all = |machine: &Machine| {
            [overcommit(machine), huge_pages(machine), somaxconn(machine)].map(|a| a.is_some())
        };
        assert_eq!(all(&machine(1, false, 512)), [false; 3]);
        assert_eq!(all(&machine(0, true, 128)), [true; 3]);
        assert_eq!(all(&machine(2, false, 4096)), [true, false, false]);
        assert_eq!(all(&Machine::default()), [false; 3]);
    }
}
