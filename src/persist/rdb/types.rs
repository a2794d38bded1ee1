//! The numbers of the RDB format: magic, versions, opcodes, types, lengths.
//!
//! ```text
//!   REDIS 0011            or VALKEY 080: who wrote it, and the version
//!   { opcode ... }        AUX, FUNCTION2, MODULE_AUX, SELECTDB, RESIZEDB, SLOT_INFO
//!   { EXPIRETIME_MS t | IDLE n | FREQ n }* type key value
//!   EOF crc64             from version 5 on
//! ```
//!
//! A length: its first byte's two high bits say how it goes on.
//!
//! ```text
//!   00LLLLLL                  up to 63
//!   01LLLLLL LLLLLLLL         up to 16383
//!   10000000 4 bytes          big-endian
//!   10000001 8 bytes          big-endian
//!   11KKKKKK                  no length: a string in another form, K = INT8, INT16, INT32 or LZF
//! ```

/// The versions of Redis that are read.
pub(crate) const VERSIONS: std::ops::RangeInclusive<u32> = 1..=14;
/// The version of Valkey that is read, and written.
pub(crate) const VALKEY_VERSION: u32 = 80;
/// The lowest version that is written without being asked for: Redis 7.0 reads it.
pub(crate) const WRITE_MIN: u32 = 10;
/// The lowest version that is written: Redis 5.0 to 6.2 read it. It has no functions.
pub(crate) const WRITE_OLDEST: u32 = 9;
/// The first version with listpacks, but for those of streams, and with functions.
pub(crate) const LISTPACKS_SINCE: u32 = 10;
/// The highest version that is written.
pub(crate) const WRITE_MAX: u32 = 14;
/// The first version that holds fields of hashes that expire.
pub(crate) const TIMED_FIELDS_SINCE: u32 = 12;
/// The first version whose streams hold what producers have sent.
pub(crate) const PRODUCERS_SINCE: u32 = 13;
/// The first version whose streams hold what consumers have given back.
pub(crate) const RELEASED_SINCE: u32 = 14;
/// The first version whose streams hold when a consumer last got something.
pub(crate) const ACTIVE_TIMES_SINCE: u32 = 11;
/// The first version that ends with a checksum.
pub(crate) const CHECKSUM_SINCE: u32 = 5;

/// Who defined the codes of a file, where they disagree.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Dialect {
    Redis,
    Valkey,
}

/// What stands before keys, and between them.
pub(crate) mod opcode {
    pub(crate) const SLOT_IMPORT: u8 = 243;
    pub(crate) const SLOT_INFO: u8 = 244;
    pub(crate) const FUNCTION2: u8 = 245;
    pub(crate) const FUNCTION_PRE_GA: u8 = 246;
    pub(crate) const MODULE_AUX: u8 = 247;
    pub(crate) const IDLE: u8 = 248;
    pub(crate) const FREQ: u8 = 249;
    pub(crate) const AUX: u8 = 250;
    pub(crate) const RESIZEDB: u8 = 251;
    pub(crate) const EXPIRETIME_MS: u8 = 252;
    pub(crate) const EXPIRETIME: u8 = 253;
    pub(crate) const SELECTDB: u8 = 254;
    pub(crate) const EOF: u8 = 255;
}

/// The forms of a string that is not just bytes: the low six bits after `11`.
pub(crate) mod form {
    pub(crate) const INT8: u8 = 0;
    pub(crate) const INT16: u8 = 1;
    pub(crate) const INT32: u8 = 2;
    pub(crate) const LZF: u8 = 3;
}

/// The first byte of a string in such a form.
pub(crate) const fn form_byte(form: u8) -> u8 {
    0xc0 | form
}

/// The first bytes of lengths of four and eight bytes.
pub(crate) const LEN_32: u8 = 0x80;
pub(crate) const LEN_64: u8 = 0x81;

/// Opcodes within a module's value.
pub(crate) mod module {
    pub(crate) const EOF: u64 = 0;
    pub(crate) const SINT: u64 = 1;
    pub(crate) const UINT: u64 = 2;
    pub(crate) const FLOAT: u64 = 3;
    pub(crate) const DOUBLE: u64 = 4;
    pub(crate) const STRING: u64 = 5;
}

/// How a value is written. The number is the code in the file, but for `Hash2`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub(crate) enum ValueKind {
    String = 0,
    List = 1,
    Set = 2,
    ZSet = 3,
    Hash = 4,
    ZSet2 = 5,
    ModulePreGa = 6,
    Module2 = 7,
    HashZipmap = 9,
    ListZiplist = 10,
    SetIntset = 11,
    ZSetZiplist = 12,
    HashZiplist = 13,
    ListQuicklist = 14,
    StreamListpacks = 15,
    HashListpack = 16,
    ZSetListpack = 17,
    ListQuicklist2 = 18,
    StreamListpacks2 = 19,
    SetListpack = 20,
    StreamListpacks3 = 21,
    HashMetadataPreGa = 22,
    HashListpackExPreGa = 23,
    HashMetadata = 24,
    HashListpackEx = 25,
    StreamListpacks4 = 26,
    StreamListpacks5 = 27,
    /// Valkey's hash with an expiry for each field; its code is Redis's `HashMetadataPreGa`, 22.
    Hash2 = 122,
}

/// Every kind with its code and the names of its type and encoding; code 22 is said by the dialect.
const KINDS: [(u8, ValueKind, &str, &str); 28] = [
    (0, ValueKind::String, "string", "string"),
    (1, ValueKind::List, "list", "list-linked"),
    (2, ValueKind::Set, "set", "set-hashtable"),
    (3, ValueKind::ZSet, "zset", "zset-v1"),
    (4, ValueKind::Hash, "hash", "hash-hashtable"),
    (5, ValueKind::ZSet2, "zset", "zset-v2"),
    (6, ValueKind::ModulePreGa, "module", "module-pre-release"),
    (7, ValueKind::Module2, "module", "module-value"),
    (9, ValueKind::HashZipmap, "hash", "hash-zipmap"),
    (10, ValueKind::ListZiplist, "list", "list-ziplist"),
    (11, ValueKind::SetIntset, "set", "set-intset"),
    (12, ValueKind::ZSetZiplist, "zset", "zset-ziplist"),
    (13, ValueKind::HashZiplist, "hash", "hash-ziplist"),
    (14, ValueKind::ListQuicklist, "list", "quicklist"),
    (15, ValueKind::StreamListpacks, "stream", "stream"),
    (16, ValueKind::HashListpack, "hash", "hash-listpack"),
    (17, ValueKind::ZSetListpack, "zset", "zset-listpack"),
    (18, ValueKind::ListQuicklist2, "list", "quicklist-v2"),
    (19, ValueKind::StreamListpacks2, "stream", "stream-v2"),
    (20, ValueKind::SetListpack, "set", "set-listpack"),
    (21, ValueKind::StreamListpacks3, "stream", "stream-v3"),
    (22, ValueKind::HashMetadataPreGa, "hash", "hash-hashtable-md-pre-release"),
    (23, ValueKind::HashListpackExPreGa, "hash", "hash-listpack-md-pre-release"),
    (24, ValueKind::HashMetadata, "hash", "hash-hashtable-md"),
    (25, ValueKind::HashListpackEx, "hash", "hash-listpack-md"),
    (26, ValueKind::StreamListpacks4, "stream", "stream-v4"),
    (27, ValueKind::StreamListpacks5, "stream", "stream-v5"),
    (22, ValueKind::Hash2, "hash", "hash-v2"),
];

impl ValueKind {
    /// The kind of this code; None if there is none.
    pub(crate) fn of(code: u8, dialect: Dialect) -> Option<ValueKind> {
        match dialect {
            Dialect::Valkey if code == 22 => Some(ValueKind::Hash2),
            Dialect::Valkey if code > 22 => None,
            _ => KINDS.iter().find(|row| row.0 == code).map(|row| row.1),
        }
    }

    fn row(self) -> &'static (u8, ValueKind, &'static str, &'static str) {
        KINDS.iter().find(|row| row.1 == self).expect("every kind has its row")
    }

    /// The byte in the file.
    #[inline(always)]
    pub(crate) fn code(self) -> u8 {
        match self {
            ValueKind::Hash2 => ValueKind::HashMetadataPreGa as u8,
            kind => kind as u8,
        }
    }

    /// The type, as TYPE replies it; `module` for modules' values.
    pub(crate) fn type_name(self) -> &'static str {
        self.row().2
    }

    /// Type and encoding, as redis-check-rdb names them.
    pub(crate) fn name(self) -> &'static str {
        self.row().3
    }
}

/// The name of a module's type: nine characters of six bits each, above ten bits of version.
pub(crate) fn module_name(id: u64) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    (0..9).rev().map(|i| char::from(LETTERS[(id >> (10 + 6 * i) & 63) as usize])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_modules() {
        assert_eq!(module_name(0), "AAAAAAAAA");
        assert_eq!(module_name(63 << 58 | 1 << 10 | 3), "_AAAAAAAB");
    }

    #[test]
    fn every_code_has_one_kind_in_each_dialect() {
        for code in 0..=255u8 {
            let redis = ValueKind::of(code, Dialect::Redis);
            let valkey = ValueKind::of(code, Dialect::Valkey);
            assert_eq!(redis.is_some(), code <= 27 && code != 8, "{code}");
            assert_eq!(valkey.is_some(), code <= 22 && code != 8, "{code}");
            for kind in [redis, valkey].into_iter().flatten() {
                assert_eq!(kind.code(), code);
                assert_eq!(kind.row().1, kind);
            }
        }
        assert_eq!(ValueKind::of(22, Dialect::Valkey), Some(ValueKind::Hash2));
        assert_eq!(ValueKind::of(5, Dialect::Redis).map(ValueKind::name), Some("zset-v2"));
    }
}
