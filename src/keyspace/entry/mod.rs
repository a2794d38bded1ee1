//! An entry: a key, all that is kept about it, and its value, in one allocation.
//!
//! ```text
//!   0      kind (4 bits) | TIMED | WIDE_TIME | WIDE_KEY | WIDE_VALUE
//!   1..4   LRU clock or LFU counter, 24 bits
//!   4      length of the key: 1 byte, or 6 if WIDE_KEY
//!   ..     only for an inline string or collection: its length, 1 byte, or 2 if WIDE_VALUE
//!   ..     only if TIMED: expiry in ms, 6 bytes, or 8 if WIDE_TIME; then its place in the wheel, 4
//!   head   the key
//!   ..     the value: 1, 2, 3, 4 or 8 bytes of an integer; the bytes of a short string or of a
//!          small collection; pointer, length and capacity of a long string; the pointer of a
//!          larger collection
//! ```
//!
//! So a 16-byte key with a 16-byte value takes 38 bytes, with an expiry 48, with an integer below
//! 2^24 just 24: all of them allocator size classes, or one below. The first byte alone gives
//! `head` (by a table), so finding and comparing a key needs nothing else.
//!
//! The allocation's size is not stored: it is the size class of what the header says. A change that
//! stays in the class is done in place.
//!
//! Invariants:
//!
//! - E1  an `EntryBox` owns an allocation of `class(total)` bytes, aligned to 8, whose first
//!   `total` bytes are laid out as above;
//! - E2  kind `HEAP` holds the parts of a `Vec<u8>`, kinds from `LIST` on hold a `Box<Object>` of
//!   that type; the entry owns them; kind `PACKED` holds what `value::packed` made;
//! - E3  `Entry` is only seen behind a reference to such an allocation; its address has been
//!   exposed.

#![allow(unsafe_code)] // One hand-laid allocation per key; fenced in by E1 to E3.

mod edit;
mod layout;
#[cfg(test)]
mod tests;
pub(crate) mod timed;

use crate::ds::dict::Thin;
use crate::ds::wheel::Place;
use crate::util::size_class::size_class as class;
use crate::value::packed::Packed;
use crate::value::string::{EMBSTR_MAX, StrBuf, parse_int};
use crate::value::{Encoding, Object, Type, Value, ValueRef, View};
pub use edit::IncrError;
use layout::{Kind, Shape, TIMED, WIDE_KEY, WIDE_KEY_BYTES, WIDE_TIME, WIDE_VALUE, head_of};
use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::ptr::NonNull;

/// Strings up to this length live in the entry; longer ones have an allocation of their own.
pub(crate) const INLINE_MAX: usize = 512;

/// A value on its way into an entry.
#[derive(Debug)]
pub enum SetValue<'a> {
    Int(i64),
    /// A string as SET takes it: stored as an integer if it spells one.
    Bytes(&'a [u8]),
    /// A string that stays a string, whatever it spells (INCRBYFLOAT's result).
    Text(&'a [u8]),
    Owned(Value),
    Collection(Object),
}

impl SetValue<'_> {
    #[inline]
    pub(crate) fn is_collection(&self) -> bool {
        matches!(self, SetValue::Owned(Value::Object(_)) | SetValue::Collection(_))
    }
}

/// A value with its kind decided.
enum Put<'a> {
    Int(i64),
    Inline(Kind, &'a [u8]),
    InlineOwned(Kind, Vec<u8>),
    Heap(Vec<u8>),
    Packed(Packed<'a>),
    /// A collection that is small enough to be packed.
    ToPack(Object),
    Object(Box<Object>),
}

impl<'a> Put<'a> {
    #[inline]
    fn new(value: SetValue<'a>) -> Put<'a> {
        match value {
            SetValue::Int(int) => Put::Int(int),
            SetValue::Bytes(bytes) => match parse_int(bytes) {
                Some(int) => Put::Int(int),
                None => Put::text(bytes),
            },
            SetValue::Text(bytes) => Put::text(bytes),
            SetValue::Owned(Value::Int(int)) => Put::Int(int),
            SetValue::Owned(Value::Str(StrBuf { bytes, enc })) => {
                if bytes.len() > INLINE_MAX {
                    Put::Heap(bytes)
                } else if enc == Encoding::Embstr && bytes.len() <= EMBSTR_MAX {
                    Put::InlineOwned(Kind::Embstr, bytes)
                } else {
                    Put::InlineOwned(Kind::Raw, bytes)
                }
            }
            SetValue::Owned(Value::Object(object)) => match Packed::of(object.view()) {
                Some(_) => Put::ToPack(*object),
                None => Put::Object(object),
            },
            SetValue::Collection(object) => match Packed::of(object.view()) {
                Some(_) => Put::ToPack(object),
                None => Put::Object(Box::new(object)),
            },
        }
    }

    #[inline]
    fn text(bytes: &'a [u8]) -> Put<'a> {
        if bytes.len() <= EMBSTR_MAX {
            Put::Inline(Kind::Embstr, bytes)
        } else if bytes.len() <= INLINE_MAX {
            Put::Inline(Kind::Raw, bytes)
        } else {
            Put::Heap(bytes.to_vec())
        }
    }

    /// The kind, and the bytes it takes in the entry.
    #[inline]
    fn kind(&self) -> (Kind, usize) {
        match self {
            Put::Int(int) => {
                let kind = Kind::of_int(*int);
                (kind, kind.fixed_bytes())
            }
            Put::Inline(kind, bytes) => (*kind, bytes.len()),
            Put::InlineOwned(kind, bytes) => (*kind, bytes.len()),
            Put::Heap(_) => (Kind::Heap, Kind::Heap.fixed_bytes()),
            Put::Packed(packed) => (Kind::Packed, packed.size()),
            Put::ToPack(object) => (Kind::Packed, packed(object).size()),
            Put::Object(object) => {
                let kind = Kind::of_object(object.value_type());
                (kind, kind.fixed_bytes())
            }
        }
    }
}

/// The packed form of a collection that was found to have one.
#[inline]
fn packed(object: &Object) -> Packed<'_> {
    Packed::of(object.view()).expect("a small collection")
}

/// An entry, borrowed. Opaque: it is read through its address (E3).
#[repr(C)]
pub struct Entry {
    bytes: [u8; 0],
}

impl Entry {
    /// The entry that starts at `at`.
    ///
    /// # Safety
    /// `at` is the allocation of a live `EntryBox`, unchanged for `'a`.
    #[inline(always)]
    unsafe fn at<'a>(at: NonNull<u8>) -> &'a Entry {
        // SAFETY: a zero-sized, byte-aligned type behind a non-null pointer.
        unsafe { at.cast().as_ref() }
    }

    /// The start of the allocation.
    #[inline(always)]
    fn base(&self) -> *const u8 {
        // The reference itself covers no bytes; the allocation's address was exposed (E3).
        std::ptr::with_exposed_provenance(std::ptr::from_ref(self).addr())
    }

    /// `N` bytes at offset `at` of the entry.
    ///
    /// # Safety
    /// They are within the entry: a field that the header says is there.
    #[inline(always)]
    unsafe fn load<const N: usize>(&self, at: usize) -> [u8; N] {
        // SAFETY: E1, and the caller's promise.
        unsafe { self.base().add(at).cast::<[u8; N]>().read() }
    }

    /// `n` bytes at offset `at` of the entry.
    ///
    /// # Safety
    /// As for `load`.
    #[inline(always)]
    unsafe fn slice(&self, at: usize, n: usize) -> &[u8] {
        // SAFETY: E1, and the caller's promise; nothing changes the entry while it is borrowed.
        unsafe { std::slice::from_raw_parts(self.base().add(at), n) }
    }

    #[inline(always)]
    fn meta(&self) -> u8 {
        // SAFETY: E1 -- each entry begins with it.
        let [byte] = unsafe { self.load(0) };
        byte
    }

    #[inline(always)]
    fn kind(&self) -> Kind {
        Kind::of_meta(self.meta())
    }

    #[inline(always)]
    fn head(&self) -> usize {
        head_of(self.meta())
    }

    #[inline(always)]
    fn key_len(&self) -> usize {
        if self.meta() & WIDE_KEY == 0 {
            // SAFETY: E1 -- a length of one byte.
            let [byte] = unsafe { self.load(4) };
            byte as usize
        } else {
            // SAFETY: E1 -- a length of six.
            let [a, b, c, d, e, f] = unsafe { self.load::<WIDE_KEY_BYTES>(4) };
            u64::from_le_bytes([a, b, c, d, e, f, 0, 0]) as usize
        }
    }

    /// Bytes of the value in the entry.
    #[inline(always)]
    fn value_bytes(&self) -> usize {
        let meta = self.meta();
        if !self.kind().is_inline() {
            return self.kind().fixed_bytes();
        }
        let at = 4 + if meta & WIDE_KEY == 0 { 1 } else { WIDE_KEY_BYTES };
        if meta & WIDE_VALUE == 0 {
            // SAFETY: E1 -- an inline value has a length, of one byte.
            let [byte] = unsafe { self.load(at) };
            byte as usize
        } else {
            // SAFETY: E1 -- of two.
            u16::from_le_bytes(unsafe { self.load(at) }) as usize
        }
    }

    #[inline(always)]
    fn value_at(&self) -> usize {
        self.head() + self.key_len()
    }

    fn shape(&self) -> Shape {
        let (key_len, value_bytes) = (self.key_len(), self.value_bytes());
        Shape { meta: self.meta(), key_len, value_bytes }
    }

    /// The key.
    #[inline(always)]
    pub fn key(&self) -> &[u8] {
        // SAFETY: E1 -- that is where the key is.
        unsafe { self.slice(self.head(), self.key_len()) }
    }

    /// The value.
    #[inline]
    pub fn value(&self) -> ValueRef<'_> {
        let at = self.value_at();
        match self.kind() {
            Kind::Embstr | Kind::Raw => {
                // SAFETY: E1 -- that is where an inline value is.
                ValueRef::Str(unsafe { self.slice(at, self.value_bytes()) })
            }
            Kind::Heap => {
                // SAFETY: the kind says so.
                let (pointer, len, _) = unsafe { self.heap_parts() };
                // SAFETY: E2 -- the parts of a vector that the entry owns.
                ValueRef::Str(unsafe { std::slice::from_raw_parts(pointer, len) })
            }
            Kind::Packed => ValueRef::Object(self.packed().view()),
            Kind::List | Kind::Set | Kind::ZSet | Kind::Hash | Kind::Stream => {
                // SAFETY: E2 -- a box that the entry owns, borrowed with the entry.
                ValueRef::Object(unsafe { &*self.object_pointer() }.view())
            }
            // SAFETY: the kinds that are left are integers, of this one, at the place of the value.
            kind => ValueRef::Int(unsafe { self.int(kind, at) }),
        }
    }

    /// An integer value.
    ///
    /// # Safety
    /// The entry is of this kind, one of those of integers, and its value is at `at`.
    #[inline]
    unsafe fn int(&self, kind: Kind, at: usize) -> i64 {
        // SAFETY: E1, and the caller's promise -- the kind says how many bytes the value has.
        unsafe {
            match kind {
                Kind::Int1 => self.load::<1>(at)[0] as i64,
                Kind::Int2 => u16::from_le_bytes(self.load(at)) as i64,
                Kind::Int3 => {
                    let [a, b, c] = self.load(at);
                    u32::from_le_bytes([a, b, c, 0]) as i64
                }
                Kind::Int4 => i32::from_le_bytes(self.load(at)) as i64,
                _ => i64::from_le_bytes(self.load(at)),
            }
        }
    }

    /// A small collection that lies in the entry. Panics if the value is none.
    #[inline]
    fn packed(&self) -> Packed<'_> {
        assert!(self.kind() == Kind::Packed);
        // SAFETY: E1 -- that is where an inline value is.
        Packed::stored(unsafe { self.slice(self.value_at(), self.value_bytes()) })
    }

    /// One of the words of a value that is owned elsewhere.
    ///
    /// # Safety
    /// The entry's kind has so many: three for `HEAP`, one for a box.
    unsafe fn word(&self, index: usize) -> usize {
        // SAFETY: E1, and the caller's promise.
        u64::from_le_bytes(unsafe { self.load(self.value_at() + index * 8) }) as usize
    }

    /// Pointer, length and capacity of a long string.
    ///
    /// # Safety
    /// The value is one: kind `HEAP`.
    unsafe fn heap_parts(&self) -> (*mut u8, usize, usize) {
        debug_assert!(self.kind() == Kind::Heap);
        // SAFETY: the caller's promise.
        let [pointer, len, capacity] = unsafe { [self.word(0), self.word(1), self.word(2)] };
        (std::ptr::with_exposed_provenance_mut(pointer), len, capacity)
    }

    /// The pointer of a larger collection.
    ///
    /// # Safety
    /// The value is one: a kind that is boxed.
    unsafe fn object_pointer(&self) -> *mut Object {
        debug_assert!(self.kind().is_boxed());
        // SAFETY: the caller's promise.
        std::ptr::with_exposed_provenance_mut(unsafe { self.word(0) })
    }

    /// Whether the value is no string.
    #[inline(always)]
    pub fn is_collection(&self) -> bool {
        self.kind().is_collection()
    }

    /// The type of the value.
    #[inline]
    pub fn value_type(&self) -> Type {
        match self.kind() {
            Kind::List => Type::List,
            Kind::Set => Type::Set,
            Kind::ZSet => Type::ZSet,
            Kind::Hash => Type::Hash,
            Kind::Stream => Type::Stream,
            Kind::Packed => self.packed().value_type(),
            _ => Type::String,
        }
    }

    /// The encoding that clients are told.
    pub fn encoding(&self) -> Encoding {
        match self.kind() {
            Kind::Embstr => Encoding::Embstr,
            Kind::Raw | Kind::Heap => Encoding::Raw,
            Kind::Int1 | Kind::Int2 | Kind::Int3 | Kind::Int4 | Kind::Int8 => Encoding::Int,
            _ => match self.value() {
                ValueRef::Object(object) => object.encoding(),
                _ => unreachable!("the other kinds are objects"),
            },
        }
    }

    /// When the key expires, in ms since 1970.
    #[inline]
    pub fn expire_ms(&self) -> Option<i64> {
        let meta = self.meta();
        if meta & TIMED == 0 {
            return None;
        }
        let head = head_of(meta);
        Some(if meta & WIDE_TIME == 0 {
            // SAFETY: E1 -- a time of six bytes and four of its place lie before the key.
            let [a, b, c, d, e, f] = unsafe { self.load(head - 10) };
            // Shifted up and down again to extend the sign.
            i64::from_le_bytes([0, 0, a, b, c, d, e, f]) >> 16
        } else {
            // SAFETY: E1 -- a time of eight and four of its place.
            i64::from_le_bytes(unsafe { self.load(head - 12) })
        })
    }

    /// The place in the wheel of an entry that expires. Panics if it does not.
    fn place(&self) -> Place {
        assert!(self.meta() & TIMED != 0);
        // SAFETY: E1 -- four bytes before the key of an entry that expires.
        Place(u32::from_le_bytes(unsafe { self.load(self.head() - 4) }))
    }

    /// The access data: 24 bits of LRU clock or LFU counter.
    #[inline]
    pub fn lru(&self) -> u32 {
        // SAFETY: E1 -- each entry has it.
        let [a, b, c] = unsafe { self.load(1) };
        u32::from_le_bytes([a, b, c, 0])
    }

    /// A copy of the value. O(size).
    pub fn to_value(&self) -> Value {
        match self.value() {
            ValueRef::Int(int) => Value::Int(int),
            ValueRef::Str(bytes) => {
                Value::Str(StrBuf { bytes: bytes.to_vec(), enc: self.encoding() })
            }
            ValueRef::Object(object) => Value::Object(Box::new(object.duplicate(0))),
        }
    }

    /// Allocated bytes: the entry, and what it owns elsewhere; of a collection extrapolated from
    /// `samples` elements (0: all).
    pub fn mem_bytes(&self, samples: usize) -> usize {
        class(self.shape().total())
            + match self.kind() {
                // SAFETY: the kind says so.
                Kind::Heap => class(unsafe { self.heap_parts() }.2),
                Kind::Packed => 0,
                _ => match self.value() {
                    ValueRef::Object(object) => {
                        class(size_of::<Object>()) + object.mem_bytes(samples)
                    }
                    _ => 0,
                },
            }
    }
}

impl std::fmt::Debug for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Entry")
            .field("key", &self.key().escape_ascii().to_string())
            .field("type", &self.value_type())
            .field("expire_ms", &self.expire_ms())
            .finish_non_exhaustive()
    }
}

/// An entry, owned. Dropping it frees the value too.
pub struct EntryBox(NonNull<u8>);

// SAFETY: the entry owns all it points to, and values are Send.
unsafe impl Send for EntryBox {}

// SAFETY: one word; the allocation lives until `drop`, and its address is a user-space one (the
// table asserts that). The key never changes.
unsafe impl Thin for EntryBox {
    type View = Entry;

    #[inline(always)]
    fn into_raw(self) -> NonNull<u8> {
        std::mem::ManuallyDrop::new(self).0
    }

    #[inline(always)]
    unsafe fn from_raw(raw: NonNull<u8>) -> EntryBox {
        EntryBox(raw)
    }

    #[inline(always)]
    unsafe fn view<'a>(raw: NonNull<u8>) -> &'a Entry {
        // SAFETY: the caller's promise.
        unsafe { Entry::at(raw) }
    }

    #[inline(always)]
    fn key(view: &Entry) -> &[u8] {
        view.key()
    }
}

impl std::ops::Deref for EntryBox {
    type Target = Entry;

    #[inline(always)]
    fn deref(&self) -> &Entry {
        // SAFETY: E1 -- ours.
        unsafe { Entry::at(self.0) }
    }
}

impl std::fmt::Debug for EntryBox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        (**self).fmt(f)
    }
}

impl Drop for EntryBox {
    fn drop(&mut self) {
        // SAFETY: the entry is freed next, as memory only.
        drop(unsafe { self.read_heavy() });
        // SAFETY: E1 -- allocated with this layout, and nobody uses it again.
        unsafe { dealloc(self.0.as_ptr(), layout_of(class(self.shape().total()))) }
    }
}

fn layout_of(bytes: usize) -> Layout {
    Layout::from_size_align(bytes, 8).expect("an entry is far below isize::MAX")
}

fn allocate(bytes: usize) -> NonNull<u8> {
    let layout = layout_of(bytes);
    // SAFETY: an entry has at least one byte.
    let Some(at) = NonNull::new(unsafe { alloc(layout) }) else { handle_alloc_error(layout) };
    at.as_ptr().expose_provenance(); // E3
    at
}

impl EntryBox {
    /// An entry of these parts. If it expires, its place in the wheel is yet to be set.
    pub fn new(key: &[u8], value: SetValue<'_>, expire: Option<i64>, lru: u32) -> EntryBox {
        let put = Put::new(value);
        let (kind, value_bytes) = put.kind();
        let shape = Shape::new(kind, key.len(), value_bytes, expire);
        let mut entry = EntryBox(allocate(class(shape.total())));
        // SAFETY: E1 -- just allocated for this shape, which is that of the key and the value.
        unsafe {
            entry.write_header(shape, expire);
            entry.set_lru(lru);
            entry.store_slice(shape.head(), key);
            entry.write_value(put);
        }
        entry
    }

    /// Writes at offset `at` of the entry.
    ///
    /// # Safety
    /// The bytes are within the entry: a field that its shape has.
    #[inline(always)]
    unsafe fn store<const N: usize>(&mut self, at: usize, bytes: [u8; N]) {
        // SAFETY: E1, and the caller's promise.
        unsafe { self.0.as_ptr().add(at).cast::<[u8; N]>().write(bytes) }
    }

    /// Writes at offset `at` of the entry.
    ///
    /// # Safety
    /// As for `store`.
    #[inline(always)]
    unsafe fn store_slice(&mut self, at: usize, bytes: &[u8]) {
        // SAFETY: E1, and the caller's promise; borrowed bytes can't lie in an entry that we own.
        unsafe {
            let to = self.0.as_ptr().add(at);
            to.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len());
        }
    }

    /// Writes all of the header but the access data and the wheel's place.
    ///
    /// # Safety
    /// The allocation is as large as this shape says, which has room for `expire`.
    #[inline]
    unsafe fn write_header(&mut self, shape: Shape, expire: Option<i64>) {
        let Shape { meta, key_len, value_bytes } = shape;
        // SAFETY: E1, and the caller's promise -- the fields that the shape has, in their order.
        unsafe {
            self.store(0, [meta]);
            let mut at = 4;
            if meta & WIDE_KEY == 0 {
                self.store(at, [key_len as u8]);
                at += 1;
            } else {
                let [a, b, c, d, e, f, _, _] = (key_len as u64).to_le_bytes();
                self.store::<WIDE_KEY_BYTES>(at, [a, b, c, d, e, f]);
                at += WIDE_KEY_BYTES;
            }
            if shape.kind().is_inline() {
                if meta & WIDE_VALUE == 0 {
                    self.store(at, [value_bytes as u8]);
                    at += 1;
                } else {
                    self.store(at, (value_bytes as u16).to_le_bytes());
                    at += 2;
                }
            }
            if let Some(ms) = expire {
                if meta & WIDE_TIME == 0 {
                    let [a, b, c, d, e, f, _, _] = ms.to_le_bytes();
                    self.store(at, [a, b, c, d, e, f]);
                } else {
                    self.store(at, ms.to_le_bytes());
                }
            }
        }
    }

    /// Writes the value, for which the header has been written already.
    ///
    /// # Safety
    /// The header says this value's kind and bytes. What was there is no longer owned by the entry.
    #[inline]
    unsafe fn write_value(&mut self, put: Put<'_>) {
        let at = self.value_at();
        // SAFETY: E1, and the caller's promise -- `at` is where the value goes, and there is room
        // for its kind.
        unsafe {
            match put {
                Put::Int(int) => {
                    let [a, b, c, d, ..] = int.to_le_bytes();
                    match self.kind() {
                        Kind::Int1 => self.store(at, [a]),
                        Kind::Int2 => self.store(at, [a, b]),
                        Kind::Int3 => self.store(at, [a, b, c]),
                        Kind::Int4 => self.store(at, [a, b, c, d]),
                        _ => self.store(at, int.to_le_bytes()),
                    }
                }
                Put::Inline(_, bytes) => self.store_slice(at, bytes),
                Put::InlineOwned(_, bytes) => self.store_slice(at, &bytes),
                Put::Packed(packed) => self.write_packed(at, packed),
                Put::ToPack(object) => self.write_packed(at, packed(&object)),
                Put::Heap(bytes) => self.write_heap(bytes),
                Put::Object(object) => {
                    let address = Box::into_raw(object).expose_provenance() as u64;
                    self.store(at, address.to_le_bytes());
                }
            }
        }
    }

    /// Writes a small collection.
    ///
    /// # Safety
    /// The entry has room for it at `at`.
    #[inline]
    unsafe fn write_packed(&mut self, at: usize, packed: Packed<'_>) {
        // SAFETY: the caller's promise.
        unsafe {
            self.store(at, packed.head);
            self.store_slice(at + packed.head.len(), packed.bytes);
        }
    }

    /// Writes the parts of a long string; the entry owns it from here on.
    ///
    /// # Safety
    /// The kind is `HEAP`, and the entry owns no other value.
    unsafe fn write_heap(&mut self, bytes: Vec<u8>) {
        let at = self.value_at();
        let mut bytes = std::mem::ManuallyDrop::new(bytes);
        let address = bytes.as_mut_ptr().expose_provenance() as u64;
        // SAFETY: E1, and the caller's promise -- such a value has three words.
        unsafe {
            self.store(at, address.to_le_bytes());
            self.store(at + 8, (bytes.len() as u64).to_le_bytes());
            self.store(at + 16, (bytes.capacity() as u64).to_le_bytes());
        }
    }

    /// Takes a long string or a collection out, if that is what the entry holds.
    ///
    /// # Safety
    /// The caller overwrites the value, or frees the entry without dropping the value again.
    unsafe fn read_heavy(&mut self) -> Option<Value> {
        let kind = self.kind();
        if kind == Kind::Heap {
            // SAFETY: the kind says so.
            let (pointer, len, capacity) = unsafe { self.heap_parts() };
            // SAFETY: E2 -- the parts were taken from a vector by `write_heap`.
            let bytes = unsafe { Vec::from_raw_parts(pointer, len, capacity) };
            Some(Value::Str(StrBuf { bytes, enc: Encoding::Raw }))
        } else if kind.is_boxed() {
            // SAFETY: E2 -- made by `Box::into_raw` in `write_value`; the kind says so.
            Some(Value::Object(unsafe { Box::from_raw(self.object_pointer()) }))
        } else {
            None
        }
    }

    /// The value alone; the rest is freed. Copies a short string or a small collection.
    pub fn into_value(mut self) -> Value {
        // SAFETY: the entry is freed as memory only, if there was such a value.
        if let Some(heavy) = unsafe { self.read_heavy() } {
            let entry = std::mem::ManuallyDrop::new(self);
            // SAFETY: E1 -- its own layout; the value has been moved out and is not dropped here.
            unsafe { dealloc(entry.0.as_ptr(), layout_of(class(entry.shape().total()))) };
            return heavy;
        }
        match self.value() {
            ValueRef::Int(int) => Value::Int(int),
            ValueRef::Str(bytes) => {
                Value::Str(StrBuf { bytes: bytes.to_vec(), enc: self.encoding() })
            }
            ValueRef::Object(object) => Value::Object(Box::new(object.duplicate(0))),
        }
    }

    /// Whether freeing it may take long: a large collection, or a string of its own allocation.
    pub fn is_heavy(&self) -> bool {
        self.kind() == Kind::Heap || self.kind().is_boxed()
    }

    /// Sets the access data; 24 bits count.
    #[inline]
    pub fn set_lru(&mut self, lru: u32) {
        let [a, b, c, _] = lru.to_le_bytes();
        // SAFETY: E1 -- each entry has it.
        unsafe { self.store(1, [a, b, c]) };
    }

    fn set_place(&mut self, place: Place) {
        assert!(self.meta() & TIMED != 0);
        // SAFETY: E1 -- four bytes before the key of an entry that expires.
        unsafe { self.store(self.head() - 4, place.0.to_le_bytes()) };
    }
}
