//! Builds the Lua 5.1 that scripts run in: the sources of the crate `lua-src`, changed as below.
//!
//! Redis runs scripts in a Lua of its own making, and scripts can tell: a table of the API can't be
//! written to, whatever they try. The stock interpreter has no way to say so, since it writes to an
//! existing field without asking anybody. So the build adds that, and mends what is known to be
//! unsafe in Lua 5.1. Each change names the text that it stands in place of. If that is not there
//! exactly once, the build stops: then the sources are others than those that this file knows.
//!
//! What is left out is not built at all: files, processes, modules and the debug library.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Files of the library that are not built.
const LEFT_OUT: &[&str] = &["ldblib.c", "linit.c", "liolib.c", "loadlib.c", "loslib.c"];

/// Text of a file, and what takes its place.
struct Change {
    file: &'static str,
    old: &'static str,
    new: &'static str,
}

const READONLY: &str = "luaG_runerror(L, \"Attempt to modify a readonly table\")";

/// The changes. `READONLY` in a new text stands for the error about a table that can't be written.
const CHANGES: &[Change] = &[
    // A table can be made read-only. The flag takes room that was padding.
    Change {
        file: "lobject.h",
        old: "  lu_byte lsizenode;",
        new: "  lu_byte readonly;\n  lu_byte lsizenode;",
    },
    Change {
        file: "ltable.c",
        old: "  t->flags = cast_byte(~0);\n",
        new: "  t->flags = cast_byte(~0);\n  t->readonly = 0;\n",
    },
    Change {
        file: "lvm.c",
        old: "      TValue *oldval = luaH_set(L, h, key);",
        new: "      if (h->readonly) READONLY;\n      TValue *oldval = luaH_set(L, h, key);",
    },
    Change {
        file: "lapi.c",
        old: "  setobj2t(L, luaH_set(L, hvalue(t), L->top-2), L->top-1);",
        new: "  if (hvalue(t)->readonly) READONLY;\n  \
              setobj2t(L, luaH_set(L, hvalue(t), L->top-2), L->top-1);",
    },
    Change {
        file: "lapi.c",
        old: "  setobj2t(L, luaH_setnum(L, hvalue(o), n), L->top-1);",
        new: "  if (hvalue(o)->readonly) READONLY;\n  \
              setobj2t(L, luaH_setnum(L, hvalue(o), n), L->top-1);",
    },
    Change {
        file: "lapi.c",
        old: "      hvalue(obj)->metatable = mt;",
        new: "      if (hvalue(obj)->readonly) READONLY;\n      hvalue(obj)->metatable = mt;",
    },
    Change {
        file: "lapi.c",
        old: "LUA_API int lua_setmetatable (",
        new: "typedef struct { void *data; size_t top; } redust_call;\n\n\
              LUA_API void redust_lua_set_readonly (lua_State *L, int idx, int on) {\n  \
              hvalue(index2adr(L, idx))->readonly = (lu_byte)on;\n}\n\n\
              LUA_API int redust_lua_is_readonly (lua_State *L, int idx) {\n  \
              return hvalue(index2adr(L, idx))->readonly;\n}\n\n\
              redust_call redust_lua_call (lua_State *L) {\n  \
              redust_call call = {G(L)->ud, L->top - L->base};\n  return call;\n}\n\n\
              LUA_API int lua_setmetatable (",
    },
    // Only text is compiled: bytecode that somebody made up could do anything.
    Change {
        file: "ldo.c",
        old: "((c == LUA_SIGNATURE[0]) ? luaU_undump : luaY_parser)",
        new: "((void)c, luaY_parser)",
    },
    // While a chunk is parsed its name is kept from the collector (CVE-2025-49844).
    Change {
        file: "lparser.c",
        old: "  luaX_setinput(L, &lexstate, z, luaS_new(L, name));",
        new: "  setsvalue2s(L, L->top, luaS_new(L, name));\n  incr_top(L);\n  \
              luaX_setinput(L, &lexstate, z, rawtsvalue(L->top - 1));",
    },
    Change {
        file: "lparser.c",
        old: "  lua_assert(lexstate.fs == NULL);\n",
        new: "  lua_assert(lexstate.fs == NULL);\n  L->top--;\n",
    },
    // The level of a long string is counted without an overflow (CVE-2025-46819).
    Change {
        file: "llex.c",
        old: "    save_and_next(ls);\n    count++;",
        new: "    save_and_next(ls);\n    if (++count > 65536)\n      \
              luaX_lexerror(ls, \"long string delimiter is too long\", 0);",
    },
    // Nor is a range of `unpack` (CVE-2025-46817).
    Change {
        file: "lbaselib.c",
        old: "  n = e - i + 1;  /* number of elements */",
        new: "  if ((unsigned int)e - (unsigned int)i >= 1000000u)\n    \
              return luaL_error(L, \"too many results to unpack\");\n  n = e - i + 1;",
    },
    // A pattern is matched by recursion, an item that repeats in another. A pattern of a megabyte
    // would exceed the stack of the process.
    Change {
        file: "lstrlib.c",
        old: "  int level;  /* total number of captures (finished or unfinished) */",
        new: "  int depth;\n  int level;",
    },
    Change {
        file: "lstrlib.c",
        old: "static const char *match (MatchState *ms, const char *s, const char *p) {\n  init:",
        new: "static const char *descend (MatchState *ms, const char *s, const char *p);\n\n\
              static const char *match (MatchState *ms, const char *s, const char *p) {\n  \
              const char *res;\n  \
              if (++ms->depth > 5000)\n    luaL_error(ms->L, \"pattern too complex\");\n  \
              res = descend(ms, s, p);\n  ms->depth--;\n  return res;\n}\n\n\
              static const char *descend (MatchState *ms, const char *s, const char *p) {\n  init:",
    },
    Change {
        file: "lstrlib.c",
        old: "      ms.level = 0;\n      if ((res=match(",
        new: "      ms.depth = ms.level = 0;\n      if ((res=match(",
    },
    Change {
        file: "lstrlib.c",
        old: "    ms.level = 0;\n    if ((e = match(",
        new: "    ms.depth = ms.level = 0;\n    if ((e = match(",
    },
    Change {
        file: "lstrlib.c",
        old: "    ms.level = 0;\n    e = match(",
        new: "    ms.depth = ms.level = 0;\n    e = match(",
    },
    // Nothing runs when a userdata is collected: that may be in the midst of a call from outside.
    Change {
        file: "lgc.c",
        old: "    else if (fasttm(L, gco2u(curr)->metatable, TM_GC) == NULL) {",
        new: "    else if (1) {",
    },
    // The modulus of positive numbers does without a call of `floor`: a loop of it takes less time.
    // Below 2^52 to cut off is to round down; a zero, which has a sign, goes the long way.
    Change {
        file: "luaconf.h",
        old: "#define luai_nummod(a,b)\t((a) - floor((a)/(b))*(b))",
        new: "static inline double redust_floor (double x) {\n  \
              return x > 0 && x < 4503599627370496.0 ? (double)(long long)x : floor(x);\n}\n\
              #define luai_nummod(a,b)\t((a) - redust_floor((a)/(b))*(b))",
    },
    // All of a string is hashed, as Redis does it: then `pairs` gives long keys in its order.
    Change { file: "lstring.c", old: "  size_t step = (l>>5)+1;", new: "  size_t step = 1;" },
];

fn main() {
    println!("cargo:rerun-if-changed=tools/lua/build.rs");
    let from = sources();
    let to = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it")).join("lua");
    let _ = fs::remove_dir_all(&to);
    fs::create_dir_all(&to).expect("the output folder");
    let mut build = cc::Build::new();
    // The loop of the interpreter is slower with more than that (gcc 12, a sum of a million: 3.1 ms
    // with 2, 4.0 with 3), and with a register less.
    build.warnings(false).opt_level(2).force_frame_pointer(false).define("LUA_USE_POSIX", None);
    build.pic(false).flag_if_supported("-fPIE").include(&to);
    let mut core = build.clone();
    // Arithmetic that overflows wraps, wherever the libraries have not thought of it. The
    // interpreter itself has no such arithmetic, and it would cost it 5%.
    build.flag_if_supported("-fwrapv");
    let mut used = 0;
    for entry in fs::read_dir(&from).expect("the sources of Lua") {
        let path = entry.expect("a file of Lua").path();
        let name = path.file_name().and_then(|n| n.to_str()).unwrap_or_default().to_owned();
        if LEFT_OUT.contains(&name.as_str()) {
            continue;
        }
        let mut text = fs::read_to_string(&path).expect("a text of Lua");
        for change in CHANGES.iter().filter(|change| change.file == name) {
            let places = text.matches(change.old).count();
            assert_eq!(places, 1, "{name} of lua-src is not the one that tools/lua/build.rs knows");
            text = text.replace(change.old, &change.new.replace("READONLY", READONLY));
            used += 1;
        }
        fs::write(to.join(&name), text).expect("a changed file");
        match name.as_str() {
            "lvm.c" => _ = core.file(to.join(&name)),
            _ if name.ends_with(".c") => _ = build.file(to.join(&name)),
            _ => {}
        }
    }
    assert_eq!(used, CHANGES.len(), "a file of Lua that is to be changed is missing");
    build.objects(core.compile_intermediates()).compile("redust_lua");
}

/// The folder with the sources of Lua 5.1: cargo knows where it keeps the crate.
fn sources() -> PathBuf {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let manifest = env::var("CARGO_MANIFEST_DIR").expect("cargo sets it");
    let output = Command::new(cargo)
        .args(["metadata", "--format-version", "1", "--offline", "--locked"])
        // Without it cargo would ask for crates of other systems, which nobody has fetched.
        .args(["--filter-platform", &env::var("TARGET").expect("cargo sets it"), "--manifest-path"])
        .arg(Path::new(&manifest).join("Cargo.toml"))
        .output()
        .expect("cargo metadata");
    let text = String::from_utf8_lossy(&output.stdout);
    let place = text
        .split("\"manifest_path\":\"")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .find(|path| path.contains("/lua-src-") || path.contains("/lua-src/"));
    let Some(place) = place else {
        panic!("cargo metadata names no lua-src: {}", String::from_utf8_lossy(&output.stderr))
    };
    Path::new(place).with_file_name("lua-5.1.5")
}
