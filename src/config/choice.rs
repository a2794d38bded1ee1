//! Directives whose value is one of a few words, as enums.
//!
//! Each enum names its words beside its variants, in the order in which redis-server lists them
//! in error messages. The first word of a variant is the one it is printed as; others are accepted.

/// An enum that the configuration writes as a word.
pub(crate) trait Choice: Copy {
    /// Every accepted word with the number of the variant it stands for.
    const NAMES: &'static [(&'static str, u32)];

    /// The number of this variant.
    fn number(self) -> u32;

    /// The variant with this number. Numbers come from [`Choice::NAMES`] only.
    fn from_number(number: u32) -> Self;

    /// The word that it is printed as.
    fn word(self) -> &'static str {
        let first = Self::NAMES.iter().find(|(_, number)| *number == self.number());
        first.map_or("", |(word, _)| word)
    }
}

macro_rules! choices {
    ($($(#[$doc:meta])* $name:ident {
        $($(#[$variant_doc:meta])* $variant:ident = $word:literal $(| $other:literal)*,)*
    })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u32)]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)*
        }

        impl Choice for $name {
            const NAMES: &'static [(&'static str, u32)] = &[
                $(($word, Self::$variant as u32), $(($other, Self::$variant as u32),)*)*
            ];

            fn number(self) -> u32 {
                self as u32
            }

            fn from_number(number: u32) -> Self {
                const ALL: &[$name] = &[$($name::$variant),*];
                ALL[number as usize]
            }
        }
    )*};
}

choices! {
    /// What is evicted when memory runs out.
    EvictionPolicy {
        /// Keys with an expiry, least recently used first.
        VolatileLru = "volatile-lru",
        /// Keys with an expiry, least often used first.
        VolatileLfu = "volatile-lfu",
        /// Keys with an expiry, at random.
        VolatileRandom = "volatile-random",
        /// Keys with an expiry, soonest first.
        VolatileTtl = "volatile-ttl",
        /// Any key, least recently used first.
        AllkeysLru = "allkeys-lru",
        /// Any key, least often used first.
        AllkeysLfu = "allkeys-lfu",
        /// Any key, at random.
        AllkeysRandom = "allkeys-random",
        /// Nothing: writes fail instead.
        Noeviction = "noeviction",
    }

    /// Syslog facilities.
    SyslogFacility {
        /// `LOG_USER`.
        User = "user",
        /// `LOG_LOCAL0`.
        Local0 = "local0",
        /// `LOG_LOCAL1`.
        Local1 = "local1",
        /// `LOG_LOCAL2`.
        Local2 = "local2",
        /// `LOG_LOCAL3`.
        Local3 = "local3",
        /// `LOG_LOCAL4`.
        Local4 = "local4",
        /// `LOG_LOCAL5`.
        Local5 = "local5",
        /// `LOG_LOCAL6`.
        Local6 = "local6",
        /// `LOG_LOCAL7`.
        Local7 = "local7",
    }

    /// Importance of log messages, rising.
    LogLevel {
        /// Everything.
        Debug = "debug",
        /// Much, but not all.
        Verbose = "verbose",
        /// What one wants to know in production.
        Notice = "notice",
        /// Only what is wrong.
        Warning = "warning",
        /// Nothing at all.
        Nothing = "nothing",
    }

    /// The supervisor that started the process.
    Supervised {
        /// Stop ourselves, as upstart expects.
        Upstart = "upstart",
        /// Notify systemd.
        Systemd = "systemd",
        /// Find out from the environment.
        Auto = "auto",
        /// None.
        No = "no",
    }

    /// When the append-only file is flushed to disk.
    AppendFsync {
        /// Once a second.
        Everysec = "everysec",
        /// Before every reply.
        Always = "always",
        /// When the kernel likes.
        No = "no",
    }

    /// When a replica loads a snapshot without storing it first.
    DisklessLoad {
        /// Never.
        Disabled = "disabled",
        /// When there is nothing to lose.
        OnEmptyDb = "on-empty-db",
        /// Always, keeping the old data until the new is complete.
        Swapdb = "swapdb",
    }

    /// What a directive does that protects access or data and can't be honoured.
    Unavailable {
        /// It stops the start.
        Stop = "stop",
        /// The log says so.
        Warn = "warn",
    }

    /// Whether TLS clients have to show a certificate.
    TlsAuthClients {
        /// It is not looked at.
        No = "no",
        /// A valid one is required.
        Yes = "yes",
        /// It may be missing, but must not be wrong.
        Optional = "optional",
    }

    /// How the kernel's out-of-memory score is adjusted.
    OomScoreAdj {
        /// Not at all.
        No = "no",
        /// Relative to the score at the start.
        Relative = "yes" | "relative",
        /// To the given values.
        Absolute = "absolute",
    }

    /// Channels that a new user has access to.
    AclPubsubDefault {
        /// All.
        Allchannels = "allchannels",
        /// None.
        Resetchannels = "resetchannels",
    }

    /// For whom serialized values are checked in depth.
    SanitizeDump {
        /// Nobody.
        No = "no",
        /// Everybody.
        Yes = "yes",
        /// Clients, but not our own files or a primary.
        Clients = "clients",
    }

    /// From where a guarded operation is allowed.
    ProtectedAction {
        /// Nowhere.
        No = "no",
        /// Anywhere.
        Yes = "yes",
        /// Connections from this host.
        Local = "local",
    }

    /// What a redirection tells clients to connect to.
    EndpointType {
        /// The address.
        Ip = "ip",
        /// The announced host name.
        Hostname = "hostname",
        /// Nothing: the client keeps to the address it knows.
        UnknownEndpoint = "unknown-endpoint",
    }

    /// What to do when a command from the primary or the append-only file fails.
    PropagationError {
        /// Log it.
        Ignore = "ignore",
        /// Crash.
        Panic = "panic",
        /// Crash on replicas, log it elsewhere.
        PanicOnReplicas = "panic-on-replicas",
    }

    /// The version that snapshots are written in.
    RdbTarget {
        /// The lowest one that can hold the data.
        Automatic = "0",
        /// Redis 5.0 to 6.2.
        V9 = "9",
        /// Redis 7.0.
        V10 = "10",
        /// Redis 7.2.
        V11 = "11",
        /// Redis 7.4.
        V12 = "12",
        /// Redis 8.6.
        V13 = "13",
        /// Redis 8.8.
        V14 = "14",
    }

    /// What to do with a snapshot of a version we don't know.
    VersionCheck {
        /// Refuse it.
        Strict = "strict",
        /// Try to read it.
        Relaxed = "relaxed",
    }

    /// What happens when the cluster configuration can't be stored.
    ConfigSave {
        /// The node exits.
        Sync = "sync",
        /// It goes on.
        BestEffort = "best-effort",
    }

    /// The form of a log line.
    LogFormat {
        /// As redis-server writes it.
        Legacy = "legacy",
        /// `key=value` pairs.
        Logfmt = "logfmt",
        /// JSON objects.
        Json = "json",
    }

    /// The form of the time in a log line.
    LogTimestamp {
        /// As redis-server writes it.
        Legacy = "legacy",
        /// ISO 8601.
        Iso8601 = "iso8601",
        /// Milliseconds since the epoch.
        Milliseconds = "milliseconds",
    }

    /// The field of a client certificate that names the user.
    TlsUserField {
        /// The common name.
        Cn = "CN",
        /// The first URI.
        Uri = "URI",
        /// None.
        Off = "off",
    }
}
