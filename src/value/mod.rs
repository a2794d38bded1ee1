//! What a key holds: the value types, how they are named to clients, and how they are passed
//! around.
//!
//! A `Value` is a value that stands alone: on its way into the keyspace, out of it, or to the
//! thread that frees large ones. Inside the keyspace small values live in their key's allocation
//! (`keyspace/entry`) and are seen through `ValueRef`.
//!
//! The encoding a client is told (`OBJECT ENCODING`) is a property of its own: it follows Redis's
//! rules and not from how the bytes happen to be stored here.

pub mod hash;
pub mod list;
pub mod set;
pub mod string;
pub mod zset;

use crate::value::hash::Hash;
use crate::value::list::List;
use crate::value::set::Set;
use crate::value::string::StrBuf;
use crate::value::zset::ZSet;

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

/// What every collection type can say of itself.
pub trait Collection: Sized {
    /// Its type.
    const TYPE: Type;
    /// The collection in `object`, if it is of this type.
    fn of(object: &Object) -> Option<&Self>;
    /// The same, to change it.
    fn of_mut(object: &mut Object) -> Option<&mut Self>;
    /// The collection as an object.
    fn into_object(self) -> Object;
    /// The encoding that clients are told. O(1).
    fn encoding(&self) -> Encoding;
    /// Number of elements. O(1).
    fn len(&self) -> usize;
    /// Whether there are no elements: then its key must go. O(1).
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// A copy. O(size).
    fn duplicate(&self) -> Self;
    /// Steps that freeing it takes, in allocations. O(1).
    fn free_effort(&self) -> usize;
    /// Allocated bytes, the object's own box not counted; extrapolated from `samples` elements, from all if 0.
    fn mem_bytes(&self, samples: usize) -> usize;
    /// Continues a hash with the content, whatever the encoding and the order of insertion. O(size).
    fn digest(&self, sum: &mut [u8; 20]);
}

/// A collection.
#[derive(PartialEq, Eq, Debug)]
pub enum Object {
    List(List),
    Set(Set),
    ZSet(ZSet),
    Hash(Hash),
}

/// Does the same with the collection of any type.
macro_rules! each {
    ($object:expr, $name:ident => $with:expr) => {
        match $object {
            Object::List($name) => $with,
            Object::Set($name) => $with,
            Object::ZSet($name) => $with,
            Object::Hash($name) => $with,
        }
    };
}

/// The parts of `Collection` that join a type to its variant.
macro_rules! variant {
    ($name:ident) => {
        const TYPE: $crate::value::Type = $crate::value::Type::$name;
        #[inline]
        fn of(object: &$crate::value::Object) -> Option<&Self> {
            match object {
                $crate::value::Object::$name(this) => Some(this),
                _ => None,
            }
        }
        #[inline]
        fn of_mut(object: &mut $crate::value::Object) -> Option<&mut Self> {
            match object {
                $crate::value::Object::$name(this) => Some(this),
                _ => None,
            }
        }
        fn into_object(self) -> $crate::value::Object {
            $crate::value::Object::$name(self)
        }
    };
}
pub(crate) use variant;

impl Clone for Object {
    fn clone(&self) -> Object {
        each!(self, x => x.duplicate().into_object())
    }
}

impl Object {
    /// The type of the collection.
    pub fn value_type(&self) -> Type {
        match self {
            Object::List(_) => Type::List,
            Object::Set(_) => Type::Set,
            Object::ZSet(_) => Type::ZSet,
            Object::Hash(_) => Type::Hash,
        }
    }

    /// The encoding that clients are told.
    pub fn encoding(&self) -> Encoding {
        each!(self, x => x.encoding())
    }

    /// Number of elements.
    pub fn len(&self) -> usize {
        each!(self, x => x.len())
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A copy. O(size).
    pub fn duplicate(&self) -> Box<Object> {
        Box::new(self.clone())
    }

    /// Steps that freeing it takes, in allocations.
    pub fn free_effort(&self) -> usize {
        each!(self, x => x.free_effort())
    }

    /// Allocated bytes, this object's own box not counted, from `samples` elements (0: all).
    pub fn mem_bytes(&self, samples: usize) -> usize {
        each!(self, x => x.mem_bytes(samples))
    }

    /// Continues a hash with the content.
    pub fn digest(&self, sum: &mut [u8; 20]) {
        each!(self, x => x.digest(sum));
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

// Every collection pays for this, however small it is.
const _: () = assert!(size_of::<Object>() <= 40);
