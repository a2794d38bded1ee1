//! What random commands look like: a line for each form of a command, by family.
//!
//! ```text
//! WORD      itself                      $name     a random argument (`generate.rs` has the kinds)
//! [a|b c]   one of these, or nothing    (a|b c)   one of these
//! x*        x once or some times        $n{x}     their number, then x so many times
//! ```
//! What a range by letters gives is unspecified unless all scores are equal, so such sets have keys
//! of their own (`$y`). A write command of the server's table without a line here fails the tests.

pub(super) struct Family {
    pub name: &'static str,
    pub writes: &'static str,
    /// Commands that change nothing.
    pub reads: &'static str,
    /// What redis-server 7.2 does not know: for the replay alone.
    pub later: &'static str,
    /// What chance decides: for the replay alone.
    pub chance: &'static str,
}

pub(super) const FAMILIES: &[Family] = &[
    Family {
        name: "string",
        writes: "
            APPEND $s $val
            DECR $s
            DECRBY $s $int
            INCR $s
            INCRBY $s $int
            INCRBYFLOAT $s $float
            GETDEL $s
            GETEX $s [EX $ttl|PX $pttl|EXAT $at|PXAT $pat|PERSIST]
            GETSET $s $val
            MSET ($s $val)*
            MSETNX ($s $val)*
            SET $s $val
            SET $s $val [NX|XX] [GET] [EX $ttl|PX $pttl|EXAT $at|PXAT $pat|KEEPTTL]
            SET $s $val [EX $ttl|PX $pttl|EXAT $at|PXAT $pat|KEEPTTL] [GET] [NX|XX]
            SETEX $s $ttl $val
            PSETEX $s $pttl $val
            SETNX $s $val
            SETRANGE $s $off $val",
        reads: "
            GET $s
            GETRANGE $s $idx $idx
            SUBSTR $s $idx $idx
            MGET $s*
            STRLEN $s
            LCS $s $s [LEN] [IDX] [MINMATCHLEN $count] [WITHMATCHLEN]",
        later: "
            MSETEX $n{$s $val} [NX|XX] [EX $ttl|PX $pttl|EXAT $at|PXAT $pat|KEEPTTL]
            DELIFEQ $s $val
            SET $s $val IFEQ $val [GET] [EX $ttl|PX $pttl|EXAT $at|PXAT $pat|KEEPTTL]",
        chance: "",
    },
    Family {
        name: "bitmap",
        writes: "
            SETBIT $b $off (0|1)
            BITFIELD $b (GET $bits $off|SET $bits $off $int|INCRBY $bits $off $int|OVERFLOW (WRAP|SAT|FAIL))*
            BITFIELD $b (GET $bits $slot|SET $bits $slot $int|INCRBY $bits $slot $int)*
            BITOP (AND|OR|XOR) $b $b*
            BITOP NOT $b $b",
        reads: "
            GETBIT $b $off
            BITCOUNT $b [$idx $idx|$idx $idx BYTE|$idx $idx BIT]
            BITPOS $b (0|1) [$idx|$idx $idx|$idx $idx BYTE|$idx $idx BIT]
            BITFIELD_RO $b (GET $bits $off)*",
        later: "
            BITOP (DIFF|DIFF1|ANDOR|ONE) $b $b*",
        chance: "",
    },
    Family {
        name: "list",
        writes: "
            LPUSH $l $elem*
            RPUSH $l $elem*
            LPUSH $l $elem*
            RPUSH $l $elem*
            LPUSHX $l $elem*
            RPUSHX $l $elem*
            LINSERT $l (BEFORE|AFTER) $elem $elem
            LMOVE $l $l (LEFT|RIGHT) (LEFT|RIGHT)
            LMPOP $n{$l} (LEFT|RIGHT) [COUNT $count]
            LPOP $l [$count]
            RPOP $l [$count]
            LREM $l $small $elem
            LSET $l $idx $elem
            LTRIM $l $idx $idx
            RPOPLPUSH $l $l",
        reads: "
            LINDEX $l $idx
            LLEN $l
            LPOS $l $elem [RANK $small] [COUNT $count] [MAXLEN $count]
            LRANGE $l $idx $idx",
        later: "",
        chance: "",
    },
    Family {
        name: "blocking",
        writes: "
            BLPOP $l* $wait
            BRPOP $l* $wait
            BLMOVE $l $l (LEFT|RIGHT) (LEFT|RIGHT) $wait
            BRPOPLPUSH $l $l $wait
            BLMPOP $wait $n{$l} (LEFT|RIGHT) [COUNT $count]
            BZPOPMIN $z* $wait
            BZPOPMAX $z* $wait
            BZMPOP $wait $n{$z} (MIN|MAX) [COUNT $count]
            LPUSH $l $elem*
            ZADD $z $score $member
            RENAME $l $l
            DEL $l*",
        reads: "",
        later: "",
        chance: "",
    },
    Family {
        name: "set",
        writes: "
            SADD $t $member*
            SADD $t $elem*
            SADD $t $whole*
            SREM $t $member*
            SMOVE $t $t $member
            SPOP $t 1000
            SDIFFSTORE $t $t*
            SINTERSTORE $t $t*
            SUNIONSTORE $t $t*",
        reads: "
            SCARD $t
            SISMEMBER $t $member
            SMISMEMBER $t $member*
            SMEMBERS $t
            SDIFF $t*
            SINTER $t*
            SUNION $t*
            SINTERCARD $n{$t} [LIMIT $count]
            SRANDMEMBER $t [$small]
            SSCAN $t 0 [MATCH $glob] COUNT 1000",
        later: "",
        chance: "
            SPOP $t
            SPOP $t $count",
    },
    Family {
        name: "hash",
        writes: "
            HSET $h ($field $val)*
            HSET $h ($field $val)*
            HMSET $h ($field $val)*
            HSETNX $h $field $val
            HDEL $h $field*
            HINCRBY $h $field $int
            HINCRBYFLOAT $h $field $float",
        reads: "
            HGET $h $field
            HMGET $h $field*
            HGETALL $h
            HKEYS $h
            HVALS $h
            HLEN $h
            HEXISTS $h $field
            HSTRLEN $h $field
            HRANDFIELD $h [$small|$small WITHVALUES]
            HSCAN $h 0 [MATCH $glob] COUNT 1000",
        later: "
            HEXPIRE $h $ttl [NX|XX|GT|LT] FIELDS $n{$field}
            HPEXPIRE $h $pttl [NX|XX|GT|LT] FIELDS $n{$field}
            HPEXPIRE $h $pttl FIELDS $n{$field}
            HPEXPIRE $h $pttl FIELDS $n{$field}
            HSETEX $h PX $pttl FIELDS $n{$field $val}
            HEXPIREAT $h $at [NX|XX|GT|LT] FIELDS $n{$field}
            HPEXPIREAT $h $pat [NX|XX|GT|LT] FIELDS $n{$field}
            HPERSIST $h FIELDS $n{$field}
            HGETDEL $h FIELDS $n{$field}
            HGETEX $h [EX $ttl|PX $pttl|EXAT $at|PXAT $pat|PERSIST] FIELDS $n{$field}
            HSETEX $h [FNX|FXX] [EX $ttl|PX $pttl|EXAT $at|PXAT $pat|KEEPTTL] FIELDS $n{$field $val}",
        chance: "",
    },
    Family {
        name: "zset",
        writes: "
            ZADD $z ($score $member)*
            ZADD $z ($score $member)*
            ZADD $z [NX|XX] [GT|LT] [CH] ($score $member)*
            ZADD $z [NX|XX] [GT|LT] [CH] INCR $score $member
            ZINCRBY $z $score $member
            ZREM $z $member*
            ZREMRANGEBYLEX $y $lex $lex
            ZADD $y (0 $member)*
            ZADD $y (0 $member)*
            ZREM $y $member*
            ZREMRANGEBYRANK $z $idx $idx
            ZREMRANGEBYSCORE $z $bound $bound
            ZPOPMIN $z [$count]
            ZPOPMAX $z [$count]
            ZMPOP $n{$z} (MIN|MAX) [COUNT $count]
            ZDIFFSTORE $z $n{$zt}
            ZINTERSTORE $z $n{$zt} [AGGREGATE SUM|AGGREGATE MIN|AGGREGATE MAX]
            ZUNIONSTORE $z $n{$zt} [AGGREGATE SUM|AGGREGATE MIN|AGGREGATE MAX]
            ZINTERSTORE $z 2 $zt $zt WEIGHTS $weight $weight [AGGREGATE MIN|AGGREGATE MAX]
            ZUNIONSTORE $z 2 $zt $zt WEIGHTS $weight $weight [AGGREGATE MIN|AGGREGATE MAX]
            ZRANGESTORE $z $z $idx $idx [REV]
            ZRANGESTORE $z $z $bound $bound BYSCORE [REV] [LIMIT $small $small]
            ZRANGESTORE $y $y $lex $lex BYLEX [REV] [LIMIT $small $small]",
        reads: "
            ZCARD $z
            ZCOUNT $z $bound $bound
            ZLEXCOUNT $y $lex $lex
            ZSCORE $z $member
            ZMSCORE $z $member*
            ZRANK $z $member [WITHSCORE]
            ZREVRANK $z $member [WITHSCORE]
            ZRANGE $z $idx $idx [REV] [WITHSCORES]
            ZRANGE $z $bound $bound BYSCORE [REV] [LIMIT $small $small] [WITHSCORES]
            ZRANGE $y $lex $lex BYLEX [REV] [LIMIT $small $small]
            ZREVRANGE $z $idx $idx [WITHSCORES]
            ZRANGEBYSCORE $z $bound $bound [WITHSCORES] [LIMIT $small $small]
            ZREVRANGEBYSCORE $z $bound $bound [WITHSCORES] [LIMIT $small $small]
            ZRANGEBYLEX $y $lex $lex [LIMIT $small $small]
            ZREVRANGEBYLEX $y $lex $lex [LIMIT $small $small]
            ZDIFF $n{$zt} [WITHSCORES]
            ZINTER $n{$zt} [AGGREGATE SUM|AGGREGATE MIN|AGGREGATE MAX] [WITHSCORES]
            ZUNION $n{$zt} [AGGREGATE SUM|AGGREGATE MIN|AGGREGATE MAX] [WITHSCORES]
            ZINTERCARD $n{$zt} [LIMIT $count]
            ZRANDMEMBER $z [$small|$small WITHSCORES]
            ZSCAN $z 0 [MATCH $glob] COUNT 1000",
        later: "",
        chance: "",
    },
    Family {
        name: "geo",
        writes: "
            GEOADD $g [NX|XX] [CH] ($lon $lat $member)*
            GEOADD $g ($lon $lat $member)*
            GEORADIUS $g $lon $lat $radius $unit [COUNT $count] [ASC|DESC] [STORE $g|STOREDIST $g]
            GEORADIUSBYMEMBER $g $member $radius $unit [COUNT $count] [ASC|DESC] [STORE $g|STOREDIST $g]
            GEOSEARCHSTORE $g $g (FROMMEMBER $member|FROMLONLAT $lon $lat) (BYRADIUS $radius $unit|BYBOX $radius $radius $unit) [ASC|DESC] [COUNT $count] [STOREDIST]",
        reads: "
            GEOPOS $g $member*
            GEODIST $g $member $member [$unit]
            GEOHASH $g $member*
            GEORADIUS_RO $g $lon $lat $radius $unit [WITHCOORD] [WITHDIST] [WITHHASH] [COUNT $count] [ASC|DESC]
            GEORADIUSBYMEMBER_RO $g $member $radius $unit [WITHCOORD] [WITHDIST] [WITHHASH] [COUNT $count] [ASC|DESC]
            GEOSEARCH $g (FROMMEMBER $member|FROMLONLAT $lon $lat) (BYRADIUS $radius $unit|BYBOX $radius $radius $unit) [ASC|DESC] [COUNT $count] [WITHCOORD] [WITHDIST] [WITHHASH]",
        later: "",
        chance: "",
    },
    Family {
        name: "hyperloglog",
        writes: "
            PFADD $p $val*
            PFADD $p
            PFMERGE $p $p*
            PFDEBUG (ENCODING|TODENSE) $p
            PFCOUNT $p*",
        reads: "",
        later: "",
        chance: "",
    },
    Family {
        name: "stream",
        writes: "
            XADD $x $id (f1 $val|f1 $val f2 $val|$field $val)
            XADD $x $id-* (f1 $val|f1 $val f2 $val)
            XADD $x [NOMKSTREAM] [MAXLEN (=|~) $count|MINID (=|~) $id] [LIMIT $count] $id f1 $val
            XTRIM $x (MAXLEN|MINID) [=|~] $count
            XTRIM $x (MAXLEN|MINID) [=|~] $count (KEEPREF|DELREF|ACKED)
            XADD $x (KEEPREF|DELREF|ACKED) MAXLEN (=|~) $count $id f1 $val
            XTRIM $x MAXLEN ~ $count LIMIT $count
            XTRIM $x MINID [=|~] $id
            XDEL $x $id*
            XDELEX $x [KEEPREF|DELREF|ACKED] IDS $n{$id}
            XSETID $x $id [ENTRIESADDED $count] [MAXDELETEDID $id]
            XGROUP CREATE $x $group (0|$|$id) [MKSTREAM] [ENTRIESREAD $small]
            XGROUP CREATE $x $group 0 MKSTREAM
            XGROUP SETID $x $group (0|$|$id) [ENTRIESREAD $small]
            XGROUP DESTROY $x $group
            XGROUP CREATECONSUMER $x $group $consumer
            XGROUP DELCONSUMER $x $group $consumer
            XREADGROUP GROUP $group $consumer [COUNT $count] [NOACK] STREAMS $x >
            XREADGROUP GROUP $group $consumer [COUNT $count] STREAMS $x >
            XREADGROUP GROUP $group $consumer [COUNT $count] STREAMS $x $x > >
            XREADGROUP GROUP $group $consumer BLOCK $waitms STREAMS $x >
            XREADGROUP GROUP $group $consumer [COUNT $count] STREAMS $x $id
            XREADGROUP GROUP $group $consumer CLAIM 0 [COUNT $count] [NOACK] STREAMS $x >
            XNACK $x $group (SILENT|FAIL|FATAL) [RETRYCOUNT $count] IDS $n{$id} [FORCE]
            XCFGSET $x (IDMP-DURATION|IDMP-MAXSIZE) $count
            XIDMPRECORD $x (p1|p2) $small $id
            XACK $x $group $id*
            XACKDEL $x $group [KEEPREF|DELREF|ACKED] IDS $n{$id}
            XCLAIM $x $group $consumer 0 $id* [RETRYCOUNT $count] [FORCE] [JUSTID] [LASTID $id]
            XCLAIM $x $group $consumer $count $id* TIME $count [FORCE] [JUSTID]
            XAUTOCLAIM $x $group $consumer 0 $id [COUNT $count] [JUSTID]",
        reads: "
            XLEN $x
            XRANGE $x $idbound $idbound [COUNT $count]
            XREVRANGE $x $idbound $idbound [COUNT $count]
            XREAD [COUNT $count] STREAMS $x $x $id $id
            XREAD BLOCK $waitms STREAMS $x $x ($|$id) ($|$id)
            XPENDING $x $group
            XPENDING $x $group $idbound $idbound $count [$consumer]
            XINFO STREAM $x
            XINFO STREAM $x FULL [COUNT $count]
            XINFO GROUPS $x
            XINFO CONSUMERS $x $group",
        later: "",
        chance: "
            XADD $x * f1 $val
            XADD $x [NOMKSTREAM] [MAXLEN (=|~) $count] DELAY $waitms * f1 $val
            XADD $x [KEEPREF|DELREF|ACKED] AT $small * f1 $val f2 $val
            XADD $x (~$small-$small|~9000000000000-$small) f1 $val
            XDEL $x ~9000000000000-$small [$id]
            XADD $x (IDMP p1 $small|IDMPAUTO p2) [MAXLEN (=|~) $count] * f1 $val",
    },
    Family {
        name: "keys",
        writes: "
            COPY $key $key [DB $db] [REPLACE]
            DEL $key*
            UNLINK $key*
            EXPIRE $key $ttl [NX|XX|GT|LT]
            EXPIREAT $key $at [NX|XX|GT|LT]
            PEXPIRE $key $pttl [NX|XX|GT|LT]
            PEXPIREAT $key $pat [NX|XX|GT|LT]
            PEXPIRE $key $pttl
            PEXPIRE $key $pttl
            PERSIST $key
            MOVE $key $db
            RENAME $key $key
            RENAMENX $key $key
            RESTORE $key (0|$pttl) $dump [REPLACE]
            RESTORE $key $pat $dump ABSTTL [REPLACE] [IDLETIME $count|FREQ $count]
            RESTORE-ASKING $key 0 $dump [REPLACE]
            SORT $lt [LIMIT $small $small] [ASC|DESC] ALPHA [STORE $l]
            SORT $ltz [BY $pattern] [LIMIT $small $small] [GET $pattern] [GET #] [ASC|DESC] [ALPHA] [STORE $l]
            SORT $l BY nosort [LIMIT $small $small] [GET $pattern] [STORE $l]",
        reads: "
            EXISTS $key*
            TYPE $key
            TTL $key
            PTTL $key
            EXPIRETIME $key
            PEXPIRETIME $key
            TOUCH $key*
            KEYS $glob
            SCAN 0 [MATCH $glob] COUNT 1000 [TYPE (string|list|set|zset|hash|stream|none)]
            DBSIZE
            OBJECT ENCODING $key
            SORT_RO $ltz [BY $pattern] [LIMIT $small $small] [GET $pattern] [ASC|DESC] ALPHA",
        later: "",
        chance: "",
    },
    Family {
        name: "databases",
        writes: "
            SELECT $db
            SELECT $db
            SELECT $db
            SWAPDB $db $db
            MOVE $key $db
            COPY $key $key DB $db
            MIGRATE 127.0.0.1 $port $key 0 1000 [COPY] [REPLACE]
            MIGRATE 127.0.0.1 $port $empty $db 1000 [COPY] REPLACE KEYS $key*",
        reads: "
            DBSIZE
            ECHO $val
            PING [$val]
            WATCH $key
            UNWATCH",
        later: "",
        chance: "",
    },
    Family {
        name: "flush",
        writes: "
            FLUSHDB [ASYNC|SYNC]
            FLUSHALL [ASYNC|SYNC]",
        reads: "",
        later: "",
        chance: "",
    },
];
