//! Scripts and libraries of functions: the interpreters, what they hold, and what runs for long.
//!
//! An interpreter is made when it is needed first. While it runs a script it is out of here, so
//! that the script's commands can have the whole server.

use std::time::Instant;

use crate::persist::rdb::library::Library as Text;
use crate::resp::errors::{self, CmdError};
use crate::resp::reply::Reply;
use crate::script::api::{self, Version};
use crate::script::bridge::State;
use crate::script::eval::Scripts;
use crate::script::function::{self, Libraries, Library};
use crate::server::parts::identity::REDIS_VERSION;
use crate::util::lines::Lines;
use crate::util::num::human_bytes;

/// The version that scripts see.
const VERSION: Version = Version { text: REDIS_VERSION, number: 0x0007_0206 };

/// Which of the two interpreters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Engine {
    Scripts,
    Functions,
}

/// A script that has run for longer than `busy-reply-threshold`: others know of it.
#[derive(Debug)]
pub(crate) struct Running {
    pub engine: Engine,
    /// The digest of the script, or the name of the function.
    pub name: String,
    /// The command that runs it.
    pub argv: Vec<Vec<u8>>,
    pub started: Instant,
    /// It has called a command that writes, so it can't be ended any more.
    pub wrote: bool,
    /// Somebody has asked to end it.
    pub killed: bool,
}

impl Running {
    /// What others are told while it runs.
    pub(crate) fn busy(&self) -> CmdError {
        match self.engine {
            Engine::Scripts => errors::BUSY,
            Engine::Functions => errors::BUSY_FUNCTION,
        }
    }
}

/// What the code of a library may take while it is loaded.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// It has half a second.
    pub hurry: bool,
    /// The most bytes of its interpreter; 0: any.
    pub memory: usize,
}

impl Bounds {
    /// What comes from a file must load, however long it takes.
    pub(crate) const NONE: Bounds = Bounds { hurry: false, memory: 0 };
}

#[derive(Default)]
pub(crate) struct Scripting {
    pub scripts: Scripts,
    pub libraries: Libraries,
    eval: Option<State>,
    functions: Option<State>,
    /// What they take, as it was when they were last here: while one runs it is out.
    memory: [usize; 2],
    pub running: Option<Running>,
    /// Children that serve a client whose script is debugged, by process.
    pub sessions: Vec<i32>,
    /// The buffer for replies to scripts, used again from call to call.
    pub reply: Reply,
}

impl Scripting {
    fn place(&mut self, engine: Engine) -> &mut Option<State> {
        match engine {
            Engine::Scripts => &mut self.eval,
            Engine::Functions => &mut self.functions,
        }
    }

    /// Takes an interpreter out. `limit`: the most bytes that it may take while it runs; 0: any.
    pub(crate) fn take(&mut self, engine: Engine, limit: usize) -> State {
        let make = match engine {
            Engine::Scripts => api::for_scripts,
            Engine::Functions => api::for_functions,
        };
        let mut state = self.place(engine).take().unwrap_or_else(|| make(limit, VERSION));
        state.set_limit(limit);
        state
    }

    pub(crate) fn put_back(&mut self, engine: Engine, state: State) {
        self.memory[engine as usize] = state.memory();
        *self.place(engine) = Some(state);
    }

    /// Forgets all scripts. The interpreter with what they left in it comes out, to be freed.
    pub(crate) fn flush_scripts(&mut self) -> Option<State> {
        self.scripts = Scripts::default();
        self.memory[Engine::Scripts as usize] = 0;
        self.eval.take()
    }

    /// Forgets all libraries, in the same way.
    pub(crate) fn flush_libraries(&mut self) -> Option<State> {
        self.libraries = Libraries::default();
        self.memory[Engine::Functions as usize] = 0;
        self.functions.take()
    }

    /// Loads a library; its name. The error is a message without a code.
    pub(crate) fn load_library(
        &mut self,
        code: &[u8],
        replace: bool,
        bounds: Bounds,
    ) -> Result<Vec<u8>, Vec<u8>> {
        let mut state = self.take(Engine::Functions, bounds.memory);
        let result = self.load_into(&mut state, code, replace, bounds.hurry);
        self.put_back(Engine::Functions, state);
        result
    }

    fn load_into(
        &mut self,
        state: &mut State,
        code: &[u8],
        replace: bool,
        hurry: bool,
    ) -> Result<Vec<u8>, Vec<u8>> {
        let name = self.libraries.check_name(code, replace)?;
        let library = function::load(state, code, hurry)?;
        match self.libraries.add(library, replace) {
            Ok(old) => {
                old.into_iter().for_each(|old| function::release(state, old));
                Ok(name)
            }
            Err((library, why)) => {
                function::release(state, library);
                Err(why)
            }
        }
    }

    /// Loads libraries, all or none. `flush`: those that are there go first, if all is well.
    pub(crate) fn restore(
        &mut self,
        codes: &[Vec<u8>],
        replace: bool,
        flush: bool,
        bounds: Bounds,
    ) -> Result<(), Vec<u8>> {
        let mut state = self.take(Engine::Functions, bounds.memory);
        let mut new: Vec<Library> = Vec::new();
        let mut result = Ok(());
        for code in codes {
            match function::load(&mut state, code, bounds.hurry) {
                Ok(library) => {
                    result = Self::clash(&new, &library).map_or(Ok(()), Err);
                    new.push(library);
                }
                Err(why) => result = Err(why),
            }
            if result.is_err() {
                break;
            }
        }
        let out = match result {
            Err(why) => Err((new, why)),
            Ok(()) => {
                let old = flush.then(|| std::mem::take(&mut self.libraries));
                let exists = |name: &[u8]| [b"Library ", name, b" already exists"].concat();
                let added = self.libraries.add_all(new, replace, exists);
                match (added, old) {
                    (Ok(mut gone), Some(old)) => {
                        gone.extend(old.into_all());
                        Ok(gone)
                    }
                    (Err(failed), Some(old)) => {
                        self.libraries = old;
                        Err(failed)
                    }
                    (added, None) => added,
                }
            }
        };
        let (gone, result) = match out {
            Ok(gone) => (gone, Ok(())),
            Err((new, why)) => (new, Err(why)),
        };
        gone.into_iter().for_each(|library| function::release(&mut state, library));
        self.put_back(Engine::Functions, state);
        result
    }

    /// Why a library can't be restored together with these: its name, or that of a function.
    fn clash(others: &[Library], library: &Library) -> Option<Vec<u8>> {
        if others.iter().any(|other| other.name == library.name) {
            return Some([b"Library '", &library.name[..], b"' already exists"].concat());
        }
        // Names of functions are the same in any case.
        let taken = |name: &[u8]| {
            let mut names = others.iter().flat_map(|other| other.functions.keys());
            names.any(|other| other.eq_ignore_ascii_case(name))
        };
        let name = library.functions.keys().find(|name| taken(name))?;
        Some([b"Function ", &name[..], b" already exists"].concat())
    }

    /// Takes a library out; false if there is none of this name.
    pub(crate) fn delete_library(&mut self, name: &[u8]) -> bool {
        let Some(library) = self.libraries.remove(name) else { return false };
        if let Some(state) = self.functions.as_mut() {
            function::release(state, library);
        }
        true
    }

    /// The texts of all libraries, as a snapshot carries them.
    pub(crate) fn texts(&self) -> Vec<Text> {
        let text =
            |library: &Library| Text { name: library.name.clone(), code: library.code.clone() };
        self.libraries.iter().map(text).collect()
    }

    fn memory_of(&self, engine: Engine) -> usize {
        self.memory[engine as usize]
    }

    /// Bytes of scripts and libraries, without what Lua made of them.
    pub(crate) fn caches(&self) -> (usize, usize) {
        (self.scripts.bytes(), self.libraries.bytes())
    }

    /// Bytes of both interpreters.
    pub(crate) fn interpreters(&self) -> usize {
        self.memory_of(Engine::Scripts) + self.memory_of(Engine::Functions)
    }

    /// INFO memory: scripts.
    pub(crate) fn info_scripts(&self, o: &mut Lines) {
        let eval = self.memory_of(Engine::Scripts);
        o.add("used_memory_lua", eval);
        o.add("used_memory_vm_eval", eval);
        o.add("used_memory_lua_human", human_bytes(eval as u64));
        o.add("used_memory_scripts_eval", self.scripts.bytes());
        o.add("number_of_cached_scripts", self.scripts.len());
        o.add("number_of_functions", self.libraries.functions());
        o.add("number_of_libraries", self.libraries.len());
    }

    /// INFO memory: libraries, and both together.
    pub(crate) fn info_functions(&self, o: &mut Lines) {
        let (scripts, libraries) = self.caches();
        let interpreters = self.interpreters() as u64;
        o.add("used_memory_vm_functions", self.memory_of(Engine::Functions));
        o.size("used_memory_vm_total", interpreters);
        o.add("used_memory_functions", libraries);
        o.size("used_memory_scripts", (scripts + libraries) as u64);
    }
}
