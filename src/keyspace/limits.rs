//! Thresholds that data commands obey; copied from the configuration so that nothing below the
//! server layer knows the configuration itself.

use crate::ds::quicklist::{PLAIN_FROM, Shape};
use crate::ds::stream::log::NodeLimits;
use crate::util::siphash::Seed;
use crate::value::hash::HashLimits;
use crate::value::set::SetLimits;
use crate::value::zset::ZSetLimits;

/// Limits in force for one call.
#[derive(Clone, Debug)]
pub struct Limits {
    /// `proto-max-bulk-len`: longest string value in bytes.
    pub max_bulk: usize,
    /// `maxmemory-policy` keeps access data per value, so small integers are not shown as shared.
    pub private_ints: bool,
    /// The seed that large collections hash their elements with. It is here because whoever makes
    /// one needs it together with the limits.
    pub seed: Seed,
    /// `hash-max-listpack-entries`: fields.
    pub hash_listpack_entries: usize,
    /// `hash-max-listpack-value`: bytes of a field or value.
    pub hash_listpack_value: usize,
    /// `list-max-listpack-size`: elements of a node, or -1 to -5 for 4 to 64 KiB.
    pub list_listpack_size: i32,
    /// `list-compress-depth`: nodes at both ends that are never compressed; 0: none is.
    pub list_compress_depth: u32,
    /// Elements of that many bytes are nodes of a quicklist by themselves.
    pub list_plain_from: usize,
    /// `set-max-intset-entries`.
    pub set_intset_entries: usize,
    /// `set-max-listpack-entries`.
    pub set_listpack_entries: usize,
    /// `set-max-listpack-value`: bytes of a member.
    pub set_listpack_value: usize,
    /// `zset-max-listpack-entries`.
    pub zset_listpack_entries: usize,
    /// `zset-max-listpack-value`: bytes of a member.
    pub zset_listpack_value: usize,
    /// `hll-sparse-max-bytes`.
    pub hll_sparse_bytes: usize,
    /// `stream-node-max-bytes` and `stream-node-max-entries`.
    pub stream: NodeLimits,
    /// `stream-idmp-duration`.
    pub idmp_seconds: u64,
    /// `stream-idmp-maxsize`.
    pub idmp_messages: u64,
}

impl Limits {
    /// How lists are laid out.
    #[inline]
    pub fn list(&self) -> Shape {
        let Limits { list_listpack_size, list_compress_depth, list_plain_from, .. } = *self;
        Shape { fill: list_listpack_size, depth: list_compress_depth, plain_from: list_plain_from }
    }

    /// What hashes obey.
    pub fn hash(&self) -> HashLimits {
        HashLimits {
            listpack_entries: self.hash_listpack_entries,
            listpack_value: self.hash_listpack_value,
            seed: self.seed,
        }
    }

    /// What sets obey.
    pub fn set(&self) -> SetLimits {
        SetLimits {
            intset_entries: self.set_intset_entries,
            listpack_entries: self.set_listpack_entries,
            listpack_value: self.set_listpack_value,
            seed: self.seed,
        }
    }
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            max_bulk: 512 << 20,
            private_ints: false,
            seed: Seed([0, 0]),
            hash_listpack_entries: 512,
            hash_listpack_value: 64,
            list_listpack_size: -2,
            list_compress_depth: 0,
            list_plain_from: PLAIN_FROM,
            set_intset_entries: 512,
            set_listpack_entries: 128,
            set_listpack_value: 64,
            zset_listpack_entries: 128,
            zset_listpack_value: 64,
            hll_sparse_bytes: 3000,
            stream: NodeLimits { bytes: 4096, entries: 100 },
            idmp_seconds: 100,
            idmp_messages: 100,
        }
    }
}

impl Limits {
    /// What sorted sets obey.
    pub fn zset(&self) -> ZSetLimits {
        ZSetLimits {
            entries: self.zset_listpack_entries,
            value: self.zset_listpack_value,
            seed: self.seed,
        }
    }
}
