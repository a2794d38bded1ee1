# What counts as an access, and what as a change: every command that takes a key, in forms that succeed and forms that
# fail, run here and by an installed redis-server, the reference. Of every key are compared the access time under an
# LRU policy, the counter under an LFU policy, whether it is there, and of every command its count of changes
# (rdb_changes_since_last_save) and its keyspace events in order.
#
# Where no redis-server is installed (Debian: redis-server) everything here is skipped.

set reference [tool redis-server]
if {$reference eq {}} { skip "no redis-server installed to compare with (Debian: redis-server)" }
set reference [lindex $reference 0]

# Where versions of Redis differ: a pattern of forms, the first version that does what we do, and what it is.
set ::since {
    {rename s *} 7.2     {it forgets how often the value was used under its old name; 7.0 keeps the counter}
    {rename v s} 7.2     {as above}
    {renamenx s *} 7.2   {as above}
    {renamenx v no} 7.2  {as above}
    {move *} 7.2         {as above}
    {xclaim x grp bo 0 9-9} 7.2 {the consumer is made although it gets nothing}
    {msetnx no x no y} 7.2 {the second value for one key is no access}
}

# The keys that each command finds: made once, then restored before each command with an old access time.
set ::fixture {
    {set s abc} {set s2 abd} {set n 10} {set fl 1.5} {set e ""} {append bits foobar}
    {set v x ex 5000} {set vn 7 ex 5000}
    {rpush l a b c a} {rpush l1 a} {rpush l2 x y} {rpush nums 3 1 2} {rpush lv a b}
    {sadd st a b c} {sadd st1 a} {sadd st2 b c d} {sadd si 1 2 3}
    {hset h f1 v1 f2 v2 n 5 x 1.5} {hset h1 f1 v1}
    {zadd z 1 a 2 b 3 c} {zadd z1 1 a} {zadd z2 2 b 3 c 4 d} {zadd zl 0 a 0 b 0 c}
    {geoadd g 13.361389 38.115556 Palermo 15.087269 37.502669 Catania}
    {pfadd hl a b c} {pfadd hl2 c d e}
    {xadd x 1-1 f v} {xadd x 2-1 f v} {xadd x 3-1 f v} {xgroup create x grp 0} {xreadgroup group grp al count 1 streams x >}
    {set w_1 3} {set w_2 2} {set w_3 1} {set due_s x} {rpush due_l x} {sadd due_st x} {hset due_h f v} {zadd due_z 1 x}
}
# Keys that the commands may make.
set ::made {no no1 no2 dst}

# The forms. Keys `no..` are not there; `due_..` are past their time but still there. %s is what DUMP said of key s.
set ::forms {
    {append s x} {append no x} {append l x} {append n 1} {append s ""} {append no ""} {append due_s x}
    {bitcount s} {bitcount s 0 -1} {bitcount no} {bitcount l} {bitcount s 1} {bitcount s a b}
    {bitfield s get u8 0} {bitfield s set u8 0 1} {bitfield s set u8 0 97} {bitfield s incrby u8 0 1 incrby u8 8 1}
    {bitfield no get u8 0} {bitfield no set u8 0 1} {bitfield no set u8 0 0} {bitfield l get u8 0} {bitfield l set u8 0 1}
    {bitfield s overflow fail incrby u2 0 9} {bitfield n set u8 0 1 get u8 0} {bitfield s set u8 100 0}
    {bitfield s nonsense} {bitfield due_s set u8 0 1} {bitfield s} {bitfield no}
    {bitfield_ro s get u8 0} {bitfield_ro no get u8 0} {bitfield_ro l get u8 0}
    {bitop and dst s s2} {bitop not s2 s} {bitop or s s s} {bitop and dst no no1} {bitop and s no no1} {bitop and dst s l}
    {bitop xor l s s2} {bitop and due_s s s2} {bitop and due_s no no1} {bitop and v s s2}
    {bitpos s 1} {bitpos no 1} {bitpos l 1} {bitpos s 2}
    {blmove l l2 left right 0.01} {blmove no l2 left right 0.01} {blmove l no left right 0.01} {blmove l l left right 0.01}
    {blmove l1 l2 left right 0.01} {blmove l s left right 0.01} {blmove s l left right 0.01} {blmove l l2 left right -1}
    {blmpop 0.01 1 l left} {blmpop 0.01 2 no l left count 2} {blmpop 0.01 1 no left} {blmpop 0.01 1 s left} {blmpop 0.01 1 l1 left}
    {blpop l 0.01} {blpop no l 0.01} {blpop no 0.01} {blpop l1 0.01} {blpop s 0.01} {blpop no s l 0.01} {blpop due_l l 0.01}
    {brpop l 0.01} {brpop no l 0.01} {brpop no 0.01} {brpop l1 0.01}
    {brpoplpush l l2 0.01} {brpoplpush no l2 0.01} {brpoplpush l1 no 0.01}
    {bzmpop 0.01 1 z min} {bzmpop 0.01 1 no min} {bzmpop 0.01 2 no z min count 2} {bzmpop 0.01 1 z1 max} {bzmpop 0.01 1 s max}
    {bzpopmax z 0.01} {bzpopmax no 0.01} {bzpopmax z1 0.01} {bzpopmax s 0.01} {bzpopmin z 0.01} {bzpopmin no z 0.01}
    {copy s dst} {copy s s2} {copy s s2 replace} {copy no dst} {copy s s} {copy l dst} {copy v dst} {copy s due_s} {copy due_s dst}
    {copy s dst db 1} {copy s s2 db 1}
    {decr n} {decr no} {decr s} {decr l} {decr due_s} {decrby n 5} {decrby no 5} {decrby n x}
    {del s} {del s l no} {del no} {del s s} {del due_s} {del v}
    {dump s} {dump no} {dump l} {dump due_s}
    {exists s} {exists s no l s} {exists due_s}
    {expire s 100} {expire no 100} {expire v 100} {expire s -1} {expire s 100 xx} {expire s 100 nx} {expire v 100 nx} {expire v 1 gt}
    {expire v 9000 lt} {expire s x} {expire due_s 100} {expire l 100} {expire s 9223372036854775807}
    {expireat s 9999999999} {expireat no 9999999999} {expireat s 1} {expireat v 1 gt}
    {expiretime v} {expiretime s} {expiretime no}
    {geoadd g 1 1 x} {geoadd g 13.361389 38.115556 Palermo} {geoadd no 1 1 x} {geoadd s 1 1 x} {geoadd g xx 1 1 x} {geoadd g ch 2 2 Palermo}
    {geoadd g 1 1 x 2 2 y}
    {geodist g Palermo Catania} {geodist no a b} {geodist g a b} {geodist s a b}
    {geohash g Palermo} {geohash no a} {geohash s a} {geopos g Palermo} {geopos no a} {geopos s a}
    {georadius g 15 37 200 km} {georadius g 15 37 200 km store dst} {georadius g 15 37 200 km store g} {georadius g 15 37 1 m store s}
    {georadius no 15 37 200 km} {georadius no 15 37 200 km store s} {georadius g 15 37 1 m store no} {georadius s 15 37 200 km}
    {georadius g 15 37 200 km storedist z} {georadius g 15 37 200 km count 1 store due_s}
    {georadius_ro g 15 37 200 km} {georadiusbymember g Palermo 200 km} {georadiusbymember g Palermo 200 km store dst}
    {georadiusbymember g none 200 km} {georadiusbymember no none 200 km} {georadiusbymember_ro g Palermo 200 km}
    {geosearch g fromlonlat 15 37 byradius 200 km} {geosearch no fromlonlat 15 37 byradius 200 km} {geosearch s fromlonlat 15 37 byradius 200 km}
    {geosearchstore dst g fromlonlat 15 37 byradius 200 km} {geosearchstore s g fromlonlat 15 37 byradius 200 km}
    {geosearchstore s no fromlonlat 15 37 byradius 200 km} {geosearchstore s g fromlonlat 15 37 byradius 1 m}
    {geosearchstore dst no fromlonlat 15 37 byradius 1 m} {geosearchstore dst s fromlonlat 15 37 byradius 1 m}
    {get s} {get no} {get l} {get n} {get due_s} {getbit s 1} {getbit no 1} {getbit l 1}
    {getdel s} {getdel no} {getdel l} {getdel v} {getdel due_s}
    {getex s} {getex no} {getex l} {getex s ex 100} {getex s px 1 ex 1} {getex s exat 1} {getex v persist} {getex s persist} {getex v}
    {getex due_s ex 100} {getex v ex 0}
    {getrange s 0 1} {getrange no 0 1} {getrange l 0 1} {getset s x} {getset no x} {getset l x} {getset v x} {getset due_s x}
    {hdel h f1} {hdel h f1 f2 none} {hdel h none} {hdel no f1} {hdel h1 f1} {hdel s f1} {hdel due_h f}
    {hexists h f1} {hexists h none} {hexists no f} {hexists s f} {hget h f1} {hget h none} {hget no f} {hget s f} {hget due_h f}
    {hgetall h} {hgetall no} {hgetall s}
    {hincrby h n 1} {hincrby h none 1} {hincrby no f 1} {hincrby h f1 1} {hincrby s f 1} {hincrby h n x} {hincrby due_h f 1}
    {hincrbyfloat h x 1.5} {hincrbyfloat h none 1.5} {hincrbyfloat no f 1.5} {hincrbyfloat h f1 1.5} {hincrbyfloat s f 1.5} {hincrbyfloat h x y}
    {hkeys h} {hkeys no} {hkeys s} {hlen h} {hlen no} {hlen s} {hmget h f1 none} {hmget no f} {hmget s f}
    {hmset h f1 x} {hmset no f x g y} {hmset s f x} {hmset h f1} {hmset due_h g x}
    {hrandfield h} {hrandfield no} {hrandfield h 2} {hrandfield h -2 withvalues} {hrandfield s} {hrandfield h 0}
    {hscan h 0} {hscan no 0} {hscan s 0}
    {hset h f1 x} {hset h f1 x new y} {hset h f1 v1} {hset no f x} {hset s f x} {hset h f1} {hset due_h g x}
    {hsetnx h f1 x} {hsetnx h none x} {hsetnx no f x} {hsetnx s f x}
    {hstrlen h f1} {hstrlen h none} {hstrlen no f} {hvals h} {hvals no}
    {incr n} {incr no} {incr s} {incr l} {incr vn} {incr due_s} {incrby n 5} {incrby no 5} {incrby n x}
    {incrbyfloat fl 1.5} {incrbyfloat no 1.5} {incrbyfloat s 1.5} {incrbyfloat l 1.5} {incrbyfloat fl x} {incrbyfloat vn 1}
    {lcs s s2} {lcs s no} {lcs no no1} {lcs s l} {lcs l s} {lcs s s}
    {lindex l 0} {lindex l 99} {lindex no 0} {lindex s 0} {lindex l x}
    {linsert l before b x} {linsert l after none x} {linsert no before b x} {linsert s before b x} {linsert l wrong b x}
    {llen l} {llen no} {llen s}
    {lmove l l2 left right} {lmove l l left right} {lmove l no left left} {lmove no l left left} {lmove l1 l2 left left} {lmove l1 l1 left right}
    {lmove s l left left} {lmove l s left left} {lmove no s left left} {lmove due_l l left left} {lmove l due_l left left} {lmove l l2 x left}
    {lmpop 1 l left} {lmpop 2 no l right count 2} {lmpop 1 no left} {lmpop 1 s left} {lmpop 1 l1 left} {lmpop 1 l left count 99} {lmpop 0 l left}
    {lpop l} {lpop no} {lpop s} {lpop l1} {lpop l 2} {lpop l 0} {lpop no 0} {lpop l 99} {lpop l x} {lpop due_l}
    {lpos l a} {lpos l none} {lpos no a} {lpos s a}
    {lpush l x} {lpush l x y} {lpush no x} {lpush s x} {lpush due_l y} {lpushx l x} {lpushx no x} {lpushx s x}
    {lrange l 0 -1} {lrange no 0 -1} {lrange s 0 -1} {lrange l x 1}
    {lrem l 1 a} {lrem l 0 a} {lrem l 0 none} {lrem no 0 a} {lrem l1 0 a} {lrem s 0 a} {lrem l x a}
    {lset l 0 x} {lset l 99 x} {lset no 0 x} {lset s 0 x} {lset l x x}
    {ltrim l 0 1} {ltrim l 0 -1} {ltrim l 5 9} {ltrim no 0 1} {ltrim s 0 1} {ltrim l1 1 2} {ltrim l x 1}
    {memory usage s} {memory usage no} {memory usage l}
    {mget s s2} {mget s no l s} {mget due_s}
    {migrate 127.0.0.1 1 no 0 100} {migrate 127.0.0.1 1 s 0 100}
    {move s 1} {move s2 1} {move no 1} {move s 0} {move s 99} {move v 1} {move due_s 1}
    {mset s x s2 y} {mset no x no1 y} {mset s x s y} {mset l x} {mset s x s2} {mset v x} {mset due_s x} {mset no x no y}
    {msetnx no x no1 y} {msetnx no x s y} {msetnx s x no y} {msetnx no x no y} {msetnx due_s x no y}
    {object encoding s} {object encoding no} {object freq s} {object freq no} {object idletime s} {object idletime no} {object refcount s} {object refcount no}
    {persist v} {persist s} {persist no} {persist due_s}
    {pexpire s 100000} {pexpire no 100000} {pexpire s -1} {pexpire s x} {pexpireat s 9999999999999} {pexpireat no 9999999999999} {pexpireat s 1}
    {pexpiretime v} {pexpiretime no}
    {pfadd hl a} {pfadd hl d} {pfadd hl d e f} {pfadd no a} {pfadd no a b c} {pfadd no} {pfadd hl} {pfadd s x} {pfadd l x} {pfadd due_s x}
    {pfcount hl} {pfcount no} {pfcount hl hl2} {pfcount hl no} {pfcount s} {pfcount l} {pfcount no no1}
    {pfdebug todense hl} {pfdebug getreg hl} {pfdebug decode hl} {pfdebug encoding hl} {pfdebug encoding no} {pfdebug nonsense hl}
    {pfmerge hl hl2} {pfmerge dst hl hl2} {pfmerge dst} {pfmerge hl} {pfmerge hl no} {pfmerge hl s} {pfmerge dst no} {pfmerge s hl} {pfmerge due_s hl}
    {psetex s 100000 x} {psetex no 100000 x} {psetex s 0 x} {psetex l 100000 x} {psetex v 100000 x} {psetex due_s 100000 x}
    {pttl v} {pttl s} {pttl no}
    {rename s no} {rename s s2} {rename s s} {rename no s} {rename no no} {rename s l} {rename v s} {rename s v} {rename due_s s} {rename s due_s}
    {renamenx s no} {renamenx s s2} {renamenx s s} {renamenx no s} {renamenx v no} {renamenx s due_s}
    {restore no 0 %s} {restore s 0 %s} {restore s 0 %l replace} {restore no 0 junk} {restore no 1000 %s} {restore no -1 %s} {restore no 1 %s absttl}
    {restore s 1 %s absttl replace} {restore due_s 0 %s} {restore s 0 junk replace} {restore v 0 %s replace}
    {restore no 0 %s idletime 50} {restore no 0 %s freq 50} {restore-asking no 0 %s}
    {rpop l} {rpop no} {rpop s} {rpop l1} {rpop l 2} {rpop l 0}
    {rpoplpush l l2} {rpoplpush no l} {rpoplpush l l} {rpoplpush l no} {rpoplpush l s} {rpoplpush s l} {rpoplpush l1 l2}
    {rpush l x} {rpush l x y z} {rpush no x} {rpush s x} {rpushx l x} {rpushx no x} {rpushx s x}
    {sadd st x} {sadd st a} {sadd st x y a} {sadd no x} {sadd s x} {sadd due_st y} {scard st} {scard no} {scard s}
    {sdiff st st2} {sdiff st no} {sdiff no st} {sdiff st st} {sdiff st s} {sdiff s st}
    {sdiffstore dst st st2} {sdiffstore st st st2} {sdiffstore dst st st} {sdiffstore s st st} {sdiffstore st2 no st} {sdiffstore s st st2}
    {sdiffstore dst st s} {sdiffstore no no1} {sdiffstore due_st st st2} {sdiffstore due_st st st} {sdiffstore v st st2}
    {set s x} {set no x} {set l x} {set v x} {set due_s x} {set s x nx} {set no x nx} {set s x xx} {set no x xx} {set s x get} {set no x get}
    {set l x get} {set s x nx get} {set no x nx get} {set s x xx get} {set no x xx get} {set l x nx get} {set s x ex 100} {set no x ex 100} {set v x keepttl}
    {set s x keepttl} {set s x ex 0} {set s x nx xx} {set s x exat 1} {set due_s x nx} {set due_s x xx} {set due_s x keepttl} {set due_s x get}
    {set n 20} {set s x nx ex 100}
    {setbit s 1 0} {setbit s 1 1} {setbit s 100 0} {setbit no 1 1} {setbit no 1 0} {setbit l 1 1} {setbit s x 1} {setbit due_s 1 1}
    {setex s 100 x} {setex no 100 x} {setex s 0 x} {setex l 100 x} {setnx s x} {setnx no x} {setnx l x} {setnx due_s x}
    {setrange s 1 x} {setrange s 1 ""} {setrange no 1 x} {setrange no 1 ""} {setrange l 1 x} {setrange l 1 ""} {setrange s -1 x} {setrange n 0 1} {setrange s 999999999999 x}
    {setrange due_s 1 x}
    {sinter st st2} {sinter st no} {sinter no st} {sinter st s} {sinter no s} {sinter s st} {sinter st st}
    {sintercard 2 st st2} {sintercard 2 st no} {sintercard 2 no s} {sintercard 2 st s}
    {sinterstore dst st st2} {sinterstore st st st2} {sinterstore st no st2} {sinterstore no no1 st} {sinterstore s st st2} {sinterstore s st no}
    {sinterstore dst st s} {sinterstore due_st st st2} {sinterstore due_st st no} {sinterstore due_s st no} {sinterstore v st st2} {sinterstore dst no s}
    {sismember st a} {sismember st x} {sismember no a} {sismember s a} {smembers st} {smembers no} {smembers s} {smismember st a x} {smismember no a}
    {smove st st2 a} {smove st st2 b} {smove st st2 none} {smove no st a} {smove st no a} {smove st st a} {smove st st none} {smove st1 st2 a} {smove s st a} {smove st s a} {smove st s none}
    {smove due_st st x} {smove st due_st a} {smove no s a}
    {sort nums} {sort no} {sort s} {sort l alpha} {sort l} {sort st alpha} {sort z alpha} {sort nums by w_*} {sort nums by w_* get w_* get #} {sort nums by none_*} {sort nums by nosort}
    {sort nums get h->f1} {sort nums store dst} {sort nums store l} {sort no store l} {sort no store dst} {sort nums store nums} {sort nums by w_* get w_* store dst}
    {sort nums limit 0 0 store l} {sort nums store due_l} {sort nums store s} {sort z by nosort} {sort nums store v}
    {sort_ro nums} {sort_ro no} {sort_ro nums by w_*}
    {spop st1} {spop no} {spop s} {spop st 0} {spop no 2} {spop st 99} {spop st1 1} {spop si 99} {spop due_st}
    {srandmember st1} {srandmember no} {srandmember s} {srandmember st 2} {srandmember st -2} {srandmember st 0}
    {srem st a} {srem st a b none} {srem st none} {srem no a} {srem st1 a} {srem s a} {srem st a b c}
    {sscan st 0} {sscan no 0} {sscan s 0} {strlen s} {strlen no} {strlen l} {substr s 0 1} {substr no 0 1}
    {sunion st st2} {sunion st no} {sunion no no1} {sunion st s} {sunion st st}
    {sunionstore dst st st2} {sunionstore st st st2} {sunionstore st no no1} {sunionstore no no1} {sunionstore s st st2} {sunionstore dst st s} {sunionstore due_st st st2}
    {touch s} {touch s no s} {touch due_s} {ttl v} {ttl s} {ttl no} {type s} {type no} {type due_s}
    {unlink s} {unlink s l no} {unlink no} {unlink due_s} {watch s} {watch no} {watch due_s}
    {xlen x} {xlen no} {xlen s} {xrange x - +} {xrange no - +} {xrange s - +} {xrevrange x + -} {xrevrange no + -} {xrevrange l + -}
    {xadd x 4-1 f v} {xadd no 1-1 f v} {xadd no nomkstream 1-1 f v} {xadd s 1-1 f v} {xadd x 1-1 f v} {xadd x maxlen 1 5-1 f v} {xadd x 5-1 f}
    {xdel x 1-1} {xdel x 9-9} {xdel no 1-1} {xdel s 1-1} {xtrim x maxlen 1} {xtrim x maxlen 9} {xtrim no maxlen 1} {xtrim s maxlen 1}
    {xsetid x 9-9} {xsetid x 1-1} {xsetid no 9-9} {xsetid s 9-9} {xack x grp 1-1} {xack x grp 9-9} {xack no grp 1-1} {xack s grp 1-1}
    {xread streams x 0} {xread streams x 9-9} {xread streams no 0} {xread streams s 0} {xread count 1 streams x no 0 0}
    {xreadgroup group grp al streams x >} {xreadgroup group grp al streams x 0} {xreadgroup group no al streams x >} {xreadgroup group grp al streams no >}
    {xpending x grp} {xpending x grp - + 9} {xpending x no} {xpending no grp} {xpending s grp} {xinfo stream x} {xinfo groups x} {xinfo consumers x grp}
    {xinfo stream no} {xinfo stream s} {xgroup create x other 0} {xgroup create x grp 0} {xgroup create no g 0} {xgroup create no g 0 mkstream}
    {xgroup setid x grp 0} {xgroup destroy x grp} {xgroup destroy x no} {xgroup createconsumer x grp bo} {xgroup delconsumer x grp al} {xgroup create s g 0}
    {xclaim x grp bo 0 1-1} {xclaim x grp bo 0 9-9} {xclaim x no bo 0 1-1} {xclaim no grp bo 0 1-1} {xautoclaim x grp bo 0 0} {xautoclaim no grp bo 0 0}
    {zadd z 5 x} {zadd z 1 a} {zadd z 9 a} {zadd z 5 x 9 a} {zadd z ch 5 x 9 a} {zadd no 1 a} {zadd s 1 a} {zadd z nx 9 a} {zadd z xx 9 a} {zadd z xx 9 none}
    {zadd no xx 1 a} {zadd z gt 0 a} {zadd z incr 1 a} {zadd z nx incr 1 a} {zadd z incr 0 a} {zadd z x a} {zadd no nx incr 1 a} {zadd due_z 1 y} {zadd z nx xx 1 a}
    {zcard z} {zcard no} {zcard s} {zcount z 0 9} {zcount no 0 9} {zcount s 0 9} {zcount z x y}
    {zdiff 2 z z2} {zdiff 2 z no} {zdiff 2 no z} {zdiff 2 z s} {zdiff 2 z z} {zdiff 2 z st}
    {zdiffstore dst 2 z z2} {zdiffstore z 2 z z2} {zdiffstore z2 2 z z} {zdiffstore dst 2 no z} {zdiffstore s 2 no z} {zdiffstore s 2 z z2} {zdiffstore dst 2 z s} {zdiffstore due_z 2 z z2}
    {zincrby z 1 a} {zincrby z 1 none} {zincrby no 1 a} {zincrby s 1 a} {zincrby z x a} {zincrby z 0 a}
    {zinter 2 z z2} {zinter 2 z no} {zinter 2 z s} {zinter 2 z st} {zinter 2 no s} {zintercard 2 z z2} {zintercard 2 z no} {zintercard 2 z s}
    {zinterstore dst 2 z z2} {zinterstore z 2 z z2} {zinterstore z 2 z no} {zinterstore no 2 no1 z} {zinterstore s 2 z z2} {zinterstore s 2 z no} {zinterstore dst 2 z s} {zinterstore due_z 2 z z2}
    {zinterstore due_z 2 z no} {zinterstore v 2 z z2}
    {zlexcount zl - +} {zlexcount no - +} {zlexcount s - +} {zlexcount zl x y}
    {zmpop 1 z min} {zmpop 2 no z max count 2} {zmpop 1 no min} {zmpop 1 s min} {zmpop 1 z1 min} {zmpop 1 z min count 99} {zmpop 2 no s min}
    {zmscore z a none} {zmscore no a} {zmscore s a}
    {zpopmax z} {zpopmax no} {zpopmax z1} {zpopmax s} {zpopmax z 2} {zpopmax z 0} {zpopmax z -1} {zpopmin z} {zpopmin no} {zpopmin z 99} {zpopmin due_z}
    {zrandmember z1} {zrandmember no} {zrandmember z 2} {zrandmember z -2} {zrandmember s} {zrandmember z 0}
    {zrange z 0 -1} {zrange no 0 -1} {zrange s 0 -1} {zrange z x 1} {zrange z 0 9 byscore} {zrange z 9 10 byscore}
    {zrangebylex zl - +} {zrangebylex no - +} {zrangebyscore z 0 9} {zrangebyscore no 0 9} {zrangebyscore s 0 9}
    {zrangestore dst z 0 1} {zrangestore z z 0 1} {zrangestore z no 0 1} {zrangestore s z 0 1} {zrangestore s z 9 10} {zrangestore dst s 0 1} {zrangestore no no1 0 1} {zrangestore due_z z 0 1}
    {zrank z a} {zrank z none} {zrank no a} {zrank s a}
    {zrem z a} {zrem z a b none} {zrem z none} {zrem no a} {zrem z1 a} {zrem s a}
    {zremrangebylex zl - +} {zremrangebylex zl \[a \[b} {zremrangebylex no - +} {zremrangebylex zl \[x \[y} {zremrangebyrank z 0 0} {zremrangebyrank z 0 -1} {zremrangebyrank z 9 10} {zremrangebyrank no 0 1} {zremrangebyrank s 0 1}
    {zremrangebyscore z 1 1} {zremrangebyscore z 0 9} {zremrangebyscore z 9 10} {zremrangebyscore no 0 1}
    {zrevrange z 0 -1} {zrevrange no 0 -1} {zrevrangebylex zl + -} {zrevrangebyscore z 9 0} {zrevrank z a} {zrevrank no a}
    {zscan z 0} {zscan no 0} {zscan s 0} {zscore z a} {zscore z none} {zscore no a} {zscore s a}
    {zunion 2 z z2} {zunion 2 z no} {zunion 2 z s} {zunion 2 no no1}
    {zunionstore dst 2 z z2} {zunionstore z 2 z z2} {zunionstore z 2 no no1} {zunionstore no 1 no1} {zunionstore s 2 z z2} {zunionstore s 1 no} {zunionstore dst 2 z s} {zunionstore due_z 2 z z2}
    {zunionstore due_z 1 no} {zunionstore due_s 2 z st} {zunionstore v 2 z z2}
}

# Commands that take keys and are not compared, with the reason.
set ::apart {
    eval "scripts act by the commands they call" eval_ro "as eval" evalsha "as eval" evalsha_ro "as eval"
    fcall "as eval" fcall_ro "as eval" debug "no command for users" pfselftest "takes no key"
    ssubscribe "channels" sunsubscribe "channels" spublish "channels"
}

# Has a server of the level make the fixture and keep what DUMP says of it.
proc prepare {level} {
    # With a limit to memory, as policies have their point then: without one Redis shares small integers.
    r $level config set notify-keyspace-events KEAnm lfu-log-factor 0 lfu-decay-time 0 maxmemory 1000mb
    r $level debug set-active-expire 0
    r $level flushall
    foreach command $::fixture { r $level {*}$command }
    foreach key [r $level keys *] { set ::payload($level,$key) [r $level dump $key] }
    set ::keys($level) [lsort [r $level keys *]]
    set ::listener($level) [redis_client -host [srv $level host] -port [srv $level port]]
    $::listener($level) psubscribe __keyevent@*
}

# Puts the keys back, none used lately; those called due_.. are past their time when this returns.
#
# A server that is held up for a millisecond within PEXPIRE finds the time past already and removes the key at once.
# DBSIZE counts the keys that are past their time, so it tells, and then all is done again.
proc put_back {level form how} {
    set batch [list {select 1} flushdb [list restore s2 0 $::payload($level,s2) {*}$how] {select 0} flushdb]
    foreach key $::keys($level) {
        set ttl [expr {$key in {v vn} ? 5000000 : 0}]
        lappend batch [list restore $key $ttl $::payload($level,$key) {*}$how]
    }
    foreach key $form { if {[string match due_* $key]} { lappend batch [list pexpire $key 1] } }
    while 1 {
        pipeline $batch $level
        if {![string match *due_* $form]} { return }
        after 4
        if {[r $level dbsize] == [llength $::keys($level)]} { return }
    }
}

# All events since the last time, as name:key, of another database than 0 with its number.
proc events_heard {level} {
    r $level publish __keyevent@end end
    set events {}
    while 1 {
        lassign [$::listener($level) read] - - channel key
        if {$channel eq "__keyevent@end"} { return $events }
        regexp {__keyevent@(\d+)__:(.*)} $channel - db name
        lappend events $name:$key[expr {$db ? "@$db" : ""}]
    }
}

proc accesses_of {level word keys} {
    lmap n [pipeline [lmap key $keys { list object $word $key }] $level] {
        expr {$word eq "freq" || $n eq {} ? $n : $n >= 500 ? "old" : $n >= 30 ? "given" : "now"}
    }
}

# The access data of all keys that are there: `old` and `now` for times, else the counter. Those that are as they
# were are left out.
proc accesses {level word} {
    set seen {}
    r $level select 1
    set keys [lsort [r $level keys *]]
    foreach key $keys n [accesses_of $level $word $keys] { lappend seen $key@1 $n }
    r $level select 0
    set keys [concat $::keys($level) $::made]
    foreach key $keys n [accesses_of $level $word $keys] {
        if {$n eq {} && [string match due_* $key]} { continue }
        if {$n eq {}} {
            if {$key ni $::made} { lappend seen $key gone }
        } elseif {$n ni {old 100}} {
            lappend seen $key $n
        }
    }
    return $seen
}

proc changes {level} { s $level rdb_changes_since_last_save }

# What a form does on a server: access, changes, events, and whether it fails.
proc outcome {level form policy} {
    set lru [expr {$policy eq "allkeys-lru"}]
    put_back $level $form [expr {$lru ? {idletime 1000} : {freq 100}}]
    events_heard $level
    set argv [lmap word $form { expr {[string match %* $word] ? $::payload($level,[string range $word 1 end]) : $word} }]
    set before [changes $level]
    set failed [catch {r $level {*}$argv} reply]
    set dirty [expr {[changes $level] - $before}]
    if {$failed} { set reply [lindex $reply 0] } else { set reply ok }
    set events [events_heard $level]
    if {[lindex $form 0] eq "watch"} { r $level unwatch }
    list access [accesses $level [expr {$lru ? "idletime" : "freq"}]] changes $dirty events $events reply $reply
}

# Whether the reference is too old for a form to mean what it means here.
proc version_differs {form} {
    foreach {pattern version -} $::since {
        if {[string match $pattern $form] && ![at_least $version -1]} { return 1 }
    }
    return 0
}

start_server [list tags {access} binary $reference] {
    start_server {} {
        prepare -1
        prepare 0
        foreach form $::forms { lappend by_name([lindex $form 0]) $form }

        foreach name [lsort [array names by_name]] {
            test "$name: what it touches, changes and tells" {
                set wrong {}
                foreach policy {allkeys-lru allkeys-lfu} {
                    foreach level {-1 0} { r $level config set maxmemory-policy $policy }
                    foreach form $by_name($name) {
                        if {[version_differs $form]} { continue }
                        array set want [outcome -1 $form $policy]
                        array set got [outcome 0 $form $policy]
                        foreach part {access changes events reply} {
                            if {$want($part) ne $got($part)} {
                                append wrong "\n  $policy: $form: $part: {$want($part)} there, {$got($part)} here"
                            }
                        }
                    }
                }
                if {$wrong ne {}} { fail $wrong }
            }
        }

        test "every command with keys that both servers have is among them" {
            set missing {}
            foreach level {-1 0} {
                set names($level) {}
                foreach info [r $level command] {
                    foreach row [concat [list $info] [lindex $info 9]] {
                        if {[lindex $row 3] == 0 && [lsearch [lindex $row 2] movablekeys] < 0} { continue }
                        lappend names($level) [lindex [split [lindex $row 0] |] 0]
                    }
                }
            }
            foreach name [lsort -unique $names(0)] {
                if {$name in $names(-1) && ![info exists by_name($name)] && ![dict exists $::apart $name]} { lappend missing $name }
            }
            assert_equal {} $missing
        }
    }
}
