//! CLUSTER and the commands that belong to it, of a server that is in no cluster:
//! `cluster-enabled yes` is refused at start. Each is known, checks the number of its arguments,
//! and then says so, as redis-server does.

use crate::commands::CmdResult;
use crate::resp::errors::CmdError;
use crate::server::parts::ServerRow;
use crate::server::parts::{Call, Server};

pub(crate) const COMMANDS: &[ServerRow] = &[
    ("asking", disabled),
    ("cluster|addslots", disabled),
    ("cluster|addslotsrange", disabled),
    ("cluster|bumpepoch", disabled),
    ("cluster|count-failure-reports", disabled),
    ("cluster|countkeysinslot", disabled),
    ("cluster|delslots", disabled),
    ("cluster|delslotsrange", disabled),
    ("cluster|failover", disabled),
    ("cluster|flushslots", disabled),
    ("cluster|forget", disabled),
    ("cluster|getkeysinslot", disabled),
    ("cluster|help", disabled),
    ("cluster|info", disabled),
    ("cluster|keyslot", disabled),
    ("cluster|links", disabled),
    ("cluster|meet", disabled),
    ("cluster|myid", disabled),
    ("cluster|myshardid", disabled),
    ("cluster|nodes", disabled),
    ("cluster|replicas", disabled),
    ("cluster|replicate", disabled),
    ("cluster|reset", disabled),
    ("cluster|saveconfig", disabled),
    ("cluster|set-config-epoch", disabled),
    ("cluster|setslot", disabled),
    ("cluster|shards", disabled),
    ("cluster|slaves", disabled),
    ("cluster|slots", disabled),
    ("readonly", disabled),
    ("readwrite", disabled),
];

fn disabled(_: &mut Server, _: &mut Call<'_>) -> CmdResult {
    Err(CmdError::new("ERR This instance has cluster support disabled"))
}
