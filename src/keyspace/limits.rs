//! Thresholds that data commands obey; copied from the configuration so that nothing below the
//! server layer knows the configuration itself.

/// Limits in force for one call.
#[derive(Clone, Debug)]
pub struct Limits {
    /// `proto-max-bulk-len`: longest string value in bytes.
    pub max_bulk: usize,
    /// `maxmemory-policy` keeps access data per value, so small integers are not shown as shared.
    pub private_ints: bool,
    /// `lazyfree-lazy-user-del`: deletions propagate as UNLINK.
    pub lazy_user_del: bool,
    /// `lazyfree-lazy-expire`: expiries propagate as UNLINK.
    pub lazy_expire: bool,
    /// RESTORE and loading verify checksums.
    pub verify_checksum: bool,
    /// `rdb-target-version` for DUMP; 0 = the lowest version that holds the value.
    pub rdb_version: u32,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            max_bulk: 512 << 20,
            private_ints: false,
            lazy_user_del: false,
            lazy_expire: false,
            verify_checksum: true,
            rdb_version: 0,
        }
    }
}
