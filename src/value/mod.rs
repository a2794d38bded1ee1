//! What a key holds: the types of values, their names for clients, and how they are passed around.
//!
//! A `Value` is a value outside the keyspace: on its way in, on its way out, or on its way to the
//! thread that frees large ones. Inside the keyspace small values live in their key's allocation
//! (`keyspace/entry`) and are seen through `ValueRef`. So each type has two forms: one that is
//! owned and can be changed (`Hash`), and one to read it wherever its bytes are (`HashRef`).
//!
//! The encoding that a client is told (`OBJECT ENCODING`) follows Redis's rules, not how the bytes
//! are stored here.

pub(crate) mod elements;
pub(crate) mod hash;
pub(crate) mod list;
pub(crate) mod packed;
pub(crate) mod set;
pub(crate) mod stream;
pub(crate) mod string;
pub(crate) mod zset;

use crate::value::hash::{Hash, HashRef};
use crate::value::list::List;
use crate::value::set::{Set, SetRef};
use crate::value::string::StrBuf;
use crate::value::zset::{ZSet, ZSetRef};

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
    /// The types that a key can hold, in the order in which INFO counts them.
    pub const STORED: &'static [Type] =
        &[Type::String, Type::List, Type::Set, Type::ZSet, Type::Hash, Type::Stream];

    /// How many types there are, stored or not; as numbers they are all below it.
    pub const COUNT: usize = Type::Stream as usize + 1;

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
    Object(ObjectRef<'a>),
}

/// A collection type: what is owned, and what is seen of it.
pub(crate) trait Collection: Sized {
    /// How it is read.
    type Ref<'a>: View
    where
        Self: 'a;
    /// The collection, to read it.
    fn view(&self) -> Self::Ref<'_>;
    /// The collection that is seen, if it is of this type.
    fn of(object: ObjectRef<'_>) -> Option<Self::Ref<'_>>;
    /// The collection in `object`, to change it, if it is of this type.
    fn of_mut(object: &mut Object) -> Option<&mut Self>;
    /// The collection that `object` is, if it is of this type.
    fn from_object(object: Object) -> Option<Self>;
    /// The collection as an object.
    fn into_object(self) -> Object;
    /// When its first element expires, of those types whose elements can. O(1).
    #[inline(always)]
    fn soonest(&self) -> Option<i64> {
        None
    }
    /// The encoding that clients are told. O(1).
    #[cfg(test)]
    fn encoding(&self) -> Encoding {
        self.view().encoding()
    }
    /// Number of elements. O(1).
    fn len(&self) -> usize {
        self.view().len()
    }
    /// Whether there are no elements: then its key must go. O(1).
    fn is_empty(&self) -> bool {
        self.view().is_empty()
    }
}

/// What can be said of a collection of any type.
pub(crate) trait View: Copy {
    /// The encoding that clients are told. O(1).
    fn encoding(self) -> Encoding;
    /// Number of elements. O(1).
    fn len(self) -> usize;
    /// Whether there are no elements. O(1).
    fn is_empty(self) -> bool {
        self.len() == 0
    }
    /// A copy; one that is a listpack has room for so many bytes more. O(size).
    fn duplicate(self, room: usize) -> Object;
    /// Steps that freeing it takes, in allocations. O(1).
    fn free_effort(self) -> usize;
    /// Allocated bytes, the object's own box not counted; extrapolated from `samples` elements,
    /// from all if 0.
    fn mem_bytes(self, samples: usize) -> usize;
    /// Continues a hash with the content, whatever the encoding and the order of insertion.
    /// O(size).
    fn digest(self, sum: &mut [u8; 20]);
}

/// A collection.
#[derive(Debug)]
pub enum Object {
    List(List),
    Set(Set),
    ZSet(ZSet),
    Hash(Hash),
    Stream(Box<crate::ds::stream::Stream>),
}

/// A collection, to read it.
#[derive(Clone, Copy, Debug)]
pub enum ObjectRef<'a> {
    List(&'a List),
    Set(SetRef<'a>),
    ZSet(ZSetRef<'a>),
    Hash(HashRef<'a>),
    Stream(&'a crate::ds::stream::Stream),
}

/// Does the same with the collection of any type.
macro_rules! each {
    ($object:expr, $name:ident => $with:expr) => {
        match $object {
            ObjectRef::List($name) => $with,
            ObjectRef::Set($name) => $with,
            ObjectRef::ZSet($name) => $with,
            ObjectRef::Hash($name) => $with,
            ObjectRef::Stream($name) => $with,
        }
    };
}

/// The parts of `Collection` that join a type to its variant.
macro_rules! variant {
    ($name:ident) => {
        #[inline]
        fn of(object: $crate::value::ObjectRef<'_>) -> Option<Self::Ref<'_>> {
            match object {
                $crate::value::ObjectRef::$name(this) => Some(this),
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
        fn from_object(object: $crate::value::Object) -> Option<Self> {
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

impl Object {
    /// The collection, to read it.
    #[inline]
    pub fn view(&self) -> ObjectRef<'_> {
        match self {
            Object::List(list) => ObjectRef::List(list),
            Object::Set(set) => ObjectRef::Set(set.view()),
            Object::ZSet(zset) => ObjectRef::ZSet(zset.view()),
            Object::Hash(hash) => ObjectRef::Hash(hash.view()),
            Object::Stream(stream) => ObjectRef::Stream(stream),
        }
    }

    /// The type of the collection.
    pub fn value_type(&self) -> Type {
        self.view().value_type()
    }

    /// The encoding that clients are told.
    pub fn encoding(&self) -> Encoding {
        self.view().encoding()
    }

    /// Number of elements.
    pub fn len(&self) -> usize {
        self.view().len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.view().is_empty()
    }
}

impl Clone for Object {
    fn clone(&self) -> Object {
        self.view().duplicate(0)
    }
}

impl PartialEq for Object {
    fn eq(&self, other: &Object) -> bool {
        self.view() == other.view()
    }
}

impl Eq for Object {}

impl ObjectRef<'_> {
    /// The type of the collection.
    pub fn value_type(self) -> Type {
        match self {
            ObjectRef::List(_) => Type::List,
            ObjectRef::Set(_) => Type::Set,
            ObjectRef::ZSet(_) => Type::ZSet,
            ObjectRef::Hash(_) => Type::Hash,
            ObjectRef::Stream(_) => Type::Stream,
        }
    }
}

impl View for ObjectRef<'_> {
    fn encoding(self) -> Encoding {
        each!(self, x => x.encoding())
    }
    fn len(self) -> usize {
        each!(self, x => View::len(x))
    }
    fn is_empty(self) -> bool {
        each!(self, x => View::is_empty(x))
    }
    fn duplicate(self, room: usize) -> Object {
        each!(self, x => x.duplicate(room))
    }
    fn free_effort(self) -> usize {
        each!(self, x => x.free_effort())
    }
    fn mem_bytes(self, samples: usize) -> usize {
        each!(self, x => x.mem_bytes(samples))
    }
    fn digest(self, sum: &mut [u8; 20]) {
        each!(self, x => x.digest(sum));
    }
}

/// The same content, whatever the encodings.
impl PartialEq for ObjectRef<'_> {
    fn eq(&self, other: &Self) -> bool {
        match (*self, *other) {
            (ObjectRef::List(a), ObjectRef::List(b)) => a == b,
            (ObjectRef::Set(a), ObjectRef::Set(b)) => a == b,
            (ObjectRef::ZSet(a), ObjectRef::ZSet(b)) => a == b,
            (ObjectRef::Hash(a), ObjectRef::Hash(b)) => a == b,
            (ObjectRef::Stream(a), ObjectRef::Stream(b)) => a == b,
            _ => false,
        }
    }
}

impl Eq for ObjectRef<'_> {}

impl Value {
    /// The value, to read it.
    pub fn view(&self) -> ValueRef<'_> {
        match self {
            Value::Int(int) => ValueRef::Int(*int),
            Value::Str(text) => ValueRef::Str(&text.bytes),
            Value::Object(object) => ValueRef::Object(object.view()),
        }
    }

    /// Whether it owns an allocation, so that it matters when it is freed.
    pub fn is_heavy(&self) -> bool {
        !matches!(self, Value::Int(_))
    }

    /// Steps that freeing it takes, in allocations.
    pub fn free_effort(&self) -> usize {
        match self {
            Value::Int(_) => 0,
            Value::Str(_) => 1,
            Value::Object(object) => object.view().free_effort(),
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

// Every collection takes this much, however small it is.
const _: () = assert!(size_of::<Object>() <= 40);
