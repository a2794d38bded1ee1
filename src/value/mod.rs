//! What a key holds: the value types, how they are named to clients, and how they are passed
//! around.
//!
//! A `Value` is a value that stands alone: on its way into the keyspace, out of it, or to the
//! thread that frees large ones. Inside the keyspace small values live in their key's allocation
//! (`keyspace/entry`) and are seen through `ValueRef`.
//!
//! The encoding a client is told (`OBJECT ENCODING`) is a property of its own: it follows Redis's
//! rules and not from how the bytes happen to be stored here.

pub mod string;

use crate::value::string::StrBuf;

/// The type of a value.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Type {
    String,
    List,
    Set,
    ZSet,
    Hash,
    Stream,
}

impl Type {
    /// The number Redis gives the type, which DEBUG DIGEST hashes.
    pub const fn number(self) -> u8 {
        match self {
            Type::String => 0,
            Type::List => 1,
            Type::Set => 2,
            Type::ZSet => 3,
            Type::Hash => 4,
            Type::Stream => 6,
        }
    }

    /// The name as `TYPE` replies it.
    pub const fn name(self) -> &'static str {
        match self {
            Type::String => "string",
            Type::List => "list",
            Type::Set => "set",
            Type::ZSet => "zset",
            Type::Hash => "hash",
            Type::Stream => "stream",
        }
    }
}

/// The encoding of a value, as clients know it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Encoding {
    Int,
    Embstr,
    Raw,
    Listpack,
    ListpackEx,
    Quicklist,
    Intset,
    Hashtable,
    Skiplist,
    Stream,
}

impl Encoding {
    /// The name as `OBJECT ENCODING` replies it.
    pub const fn name(self) -> &'static str {
        match self {
            Encoding::Int => "int",
            Encoding::Embstr => "embstr",
            Encoding::Raw => "raw",
            Encoding::Listpack => "listpack",
            Encoding::ListpackEx => "listpackex",
            Encoding::Quicklist => "quicklist",
            Encoding::Intset => "intset",
            Encoding::Hashtable => "hashtable",
            Encoding::Skiplist => "skiplist",
            Encoding::Stream => "stream",
        }
    }
}

/// A value that stands alone.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Value {
    Int(i64),
    Str(StrBuf),
    Object(Box<Object>),
}

/// A value as it is seen in the keyspace.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ValueRef<'a> {
    Int(i64),
    Str(&'a [u8]),
    Object(&'a Object),
}

/// A collection. Each type adds its variant, and its arms below, when it arrives.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Object {
    /// Stands in for a collection in tests of the keyspace.
    #[cfg(test)]
    Probe(Vec<u8>),
}

impl Object {
    /// The type of the collection.
    pub fn value_type(&self) -> Type {
        match *self {
            #[cfg(test)]
            Object::Probe(_) => Type::Hash,
        }
    }

    /// The encoding that clients are told.
    pub fn encoding(&self) -> Encoding {
        match *self {
            #[cfg(test)]
            Object::Probe(_) => Encoding::Hashtable,
        }
    }

    /// A copy. O(size).
    pub fn duplicate(&self) -> Box<Object> {
        match *self {
            #[cfg(test)]
            Object::Probe(ref bytes) => Box::new(Object::Probe(bytes.clone())),
        }
    }

    /// Steps that freeing it takes, in allocations.
    pub fn free_effort(&self) -> usize {
        match *self {
            #[cfg(test)]
            Object::Probe(ref bytes) => bytes.len(),
        }
    }

    /// Allocated bytes, this object's own box not counted.
    pub fn mem_bytes(&self) -> usize {
        match *self {
            #[cfg(test)]
            Object::Probe(ref bytes) => bytes.capacity(),
        }
    }
}

impl Value {
    /// Whether it owns an allocation, so that when to free it is worth a thought.
    pub fn is_heavy(&self) -> bool {
        !matches!(self, Value::Int(_))
    }

    /// Steps that freeing it takes, in allocations.
    pub fn free_effort(&self) -> usize {
        match self {
            Value::Int(_) => 0,
            Value::Str(_) => 1,
            Value::Object(object) => object.free_effort(),
        }
    }

    /// The type of the value.
    pub fn value_type(&self) -> Type {
        match self {
            Value::Int(_) | Value::Str(_) => Type::String,
            Value::Object(object) => object.value_type(),
        }
    }

    /// The encoding that clients are told.
    pub fn encoding(&self) -> Encoding {
        match self {
            Value::Int(_) => Encoding::Int,
            Value::Str(text) => text.enc,
            Value::Object(object) => object.encoding(),
        }
    }
}

// Values are moved to a thread that frees them.
const _: fn() = || {
    fn assert_send<T: Send>() {}
    assert_send::<Value>();
};
