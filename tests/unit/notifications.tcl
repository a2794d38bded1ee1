# Keyspace events: what every command tells, in which order, all classes on.

# Runs commands, each with the events it is to make: pairs of event and key. `-`: whatever it makes is not looked at.
proc check_events {script} {
    r flushall
    r config set notify-keyspace-events EAnm
    set c [redis_client]
    $c psubscribe __keyevent@*
    foreach {command expected} $script {
        if {[lindex $command 0] eq "sleep"} { sleep [lindex $command 1]; continue }
        catch {r {*}$command}
        r publish __keyevent@end end
        set events {}
        while {[set event [$c read]] ne {pmessage __keyevent@* __keyevent@end end}} {
            lappend events [lindex [split [lindex $event 2] :] end] [lindex $event 3]
        }
        if {$expected ne "-"} { assert_equal $expected $events $command }
    }
    $c close
    r config set notify-keyspace-events ""
}

start_server {tags {notifications}} {
    test "events: strings" {
        check_events {
            {set a 1}                                      {new a set a}
            {set a 2}                                      {set a}
            {set a 3 ex 100}                               {set a expire a}
            {set a 4 px 100000}                            {set a expire a}
            {set a 5 keepttl}                              {set a}
            {set a 6 get}                                  {set a}
            {set a 7 nx}                                   {}
            {set b 7 nx}                                   {new b set b}
            {set c 1 xx}                                   {}
            {set a 5}                                      {set a}
            {get a}                                        {}
            {get zz}                                       {keymiss zz}
        }
    }

    test "events: expiring strings" {
        check_events {
            {setnx a 1}                                    {new a set a}
            {setnx a 2}                                    {}
            {setex a 10 v}                                 {set a expire a}
            {psetex a 10000 v}                             {set a expire a}
            {getset a w}                                   {set a}
            {getset n w}                                   {keymiss n new n set n}
            {getdel a}                                     {del a}
            {getdel a}                                     {keymiss a}
            {getex n}                                      {}
            {getex n ex 10}                                {expire n}
            {getex n persist}                              {persist n}
            {getex n persist}                              {}
            {getex n}                                      {}
            {getex zz ex 1}                                {keymiss zz}
        }
    }

    test "events: several strings" {
        check_events {
            {mset a 1 b 2 a 3}                             {new a set a new b set b set a}
            {msetnx a 1 c 2}                               {}
            {msetnx c 1 d 1}                               {new c set c new d set d}
            {mget a zz b}                                  {keymiss zz}
        }
    }

    test "events: appends" {
        check_events {
            {append a x}                                   {new a append a}
            {append a y}                                   {append a}
            {append a {}}                                  {append a}
            {setrange a 5 x}                               {setrange a}
            {setrange n 0 {}}                              {}
            {setrange n 3 x}                               {new n setrange n}
            {incr i}                                       {new i incrby i}
            {incrby i 3}                                   {incrby i}
            {decr i}                                       {incrby i}
            {decrby i 2}                                   {incrby i}
            {incrbyfloat i 1.5}                            {incrbyfloat i}
            {incrbyfloat j 1}                              {new j incrbyfloat j}
            {incr a}                                       {}
        }
    }

    test "events: bits" {
        check_events {
            {setbit b 3 1}                                 {new b setbit b}
            {setbit b 3 1}                                 {}
            {getbit b 3}                                   {}
            {getbit zz 1}                                  {keymiss zz}
            {bitfield b set u8 0 1}                        {setbit b}
            {bitfield b get u8 0}                          {}
            {bitfield nb get u8 0}                         {keymiss nb}
            {bitfield nb incrby u8 0 1}                    {new nb setbit nb}
            {bitfield nb set u8 8 1 get u8 8}              {setbit nb}
            {bitfield_ro b get u8 0}                       {}
            {bitop and d b nb}                             {new d set d}
            {bitop or d zz}                                {keymiss zz del d}
            {bitop not d b}                                {new d set d}
            {bitop xor q zz}                               {keymiss zz}
            {bitcount b}                                   {}
            {bitpos b 1}                                   {}
            {bitcount zz}                                  {keymiss zz}
            {bitpos zz 1}                                  {keymiss zz}
        }
    }

    test "events: hyperloglogs" {
        check_events {
            {pfadd h a b}                                  {new h pfadd h}
            {pfadd h a b}                                  {}
            {pfadd h c}                                    {pfadd h}
            {pfadd e}                                      {new e pfadd e}
            {pfcount h}                                    {}
            {pfcount zz}                                   {keymiss zz}
            {pfcount h e}                                  {}
            {pfmerge d h e}                                {keymiss d new d pfadd d}
            {pfmerge n}                                    {keymiss n new n pfadd n}
            {pfmerge d zz}                                 {keymiss zz pfadd d}
            {pfcount h}                                    {}
        }
    }

    test "events: lists" {
        check_events {
            {lpush l a b}                                  {new l lpush l}
            {rpush l c}                                    {rpush l}
            {lpushx l z}                                   {lpush l}
            {rpushx zz a}                                  {}
            {lpushx zz a}                                  {}
            {lset l 0 q}                                   {lset l}
            {linsert l before c x}                         {linsert l}
            {linsert l before nope x}                      {}
            {linsert zz before a b}                        {}
            {lrem l 0 q}                                   {lrem l}
            {lrem l 0 nope}                                {}
            {ltrim l 0 1}                                  {ltrim l}
            {ltrim l 5 9}                                  {ltrim l del l}
            {lpush l a b c}                                {new l lpush l}
            {lpop l}                                       {lpop l}
            {rpop l}                                       {rpop l}
            {lpop l}                                       {lpop l del l}
            {lpop l}                                       {}
            {lpop zz 2}                                    {}
            {rpush l a b c}                                {new l rpush l}
            {lpop l 2}                                     {lpop l}
            {rpop l 5}                                     {rpop l del l}
            {rpop l}                                       {}
        }
    }

    test "events: moved lists" {
        check_events {
            {rpush l a b c}                                {new l rpush l}
            {lmove l m left right}                         {new m rpush m lpop l}
            {lmove l l left right}                         {rpush l lpop l}
            {rpoplpush l m}                                {lpush m rpop l}
            {lmove l m left right}                         {rpush m lpop l del l}
            {lmove l m left right}                         {}
            {lmpop 2 zz m left count 2}                    {lpop m}
            {lmpop 1 m right count 9}                      {rpop m del m}
            {lmpop 1 zz left}                              {}
            {rpush l a b}                                  {new l rpush l}
            {blpop l 1}                                    {lpop l}
            {brpop l 1}                                    {rpop l del l}
            {rpush l a b}                                  {new l rpush l}
            {blmove l m left right 1}                      {new m rpush m lpop l}
            {brpoplpush l m 1}                             {lpush m rpop l del l}
            {blmpop 1 1 m left count 5}                    {lpop m del m}
            {llen l}                                       {keymiss l}
            {lrange l 0 -1}                                {keymiss l}
            {lindex zz 0}                                  {keymiss zz}
            {lpos zz a}                                    {keymiss zz}
        }
    }

    test "events: more lists" {
        check_events {
            {rpush l a b c d e}                            {new l rpush l}
            {ltrim l 1 3}                                  {ltrim l}
            {ltrim l 0 -1}                                 {ltrim l}
            {lrem l -1 c}                                  {lrem l}
            {lrem l 0 b}                                   {lrem l}
            {lrem l 0 d}                                   {lrem l del l}
            {lrem l 0 d}                                   {}
            {rpush l 1}                                    {new l rpush l}
            {lset l 0 2}                                   {lset l}
            {lset l 5 2}                                   {}
            {lset zz 0 1}                                  {}
        }
    }

    test "events: sets" {
        check_events {
            {sadd s a b c}                                 {new s sadd s}
            {sadd s a}                                     {}
            {srem s a}                                     {srem s}
            {srem s zz}                                    {}
            {srem s b c}                                   {srem s del s}
            {srem s x}                                     {}
            {sadd s a b c d}                               {new s sadd s}
            {spop s}                                       {spop s}
            {spop s 2}                                     {spop s}
            {spop s 5}                                     {spop s del s}
            {spop s}                                       {}
            {spop s 3}                                     {}
            {sadd s a b}                                   {new s sadd s}
            {smove s t a}                                  {srem s new t sadd t}
            {smove s t zz}                                 {}
            {smove s s b}                                  {}
            {smove s t b}                                  {srem s del s sadd t}
            {smove zz t a}                                 {}
            {sadd s z}                                     {new s sadd s}
            {smove t s z}                                  {}
            {smembers zz}                                  {keymiss zz}
            {scard zz}                                     {keymiss zz}
            {sismember zz a}                               {keymiss zz}
            {srandmember zz}                               {keymiss zz}
            {smismember zz a}                              {keymiss zz}
        }
    }

    test "events: set algebra" {
        check_events {
            {sadd s a b c}                                 {new s sadd s}
            {sadd t b c d}                                 {new t sadd t}
            {sinterstore d s t}                            {new d sinterstore d}
            {sunionstore d s t}                            {sunionstore d}
            {sdiffstore d s t}                             {sdiffstore d}
            {sinterstore d s zz}                           {keymiss zz del d}
            {sinterstore d s zz}                           {keymiss zz}
            {sdiffstore s s s}                             {del s}
            {sunionstore q zz}                             {keymiss zz}
            {sunionstore t t}                              {sunionstore t}
            {sinter s zz}                                  {keymiss s keymiss zz}
            {sintercard 2 s t}                             {keymiss s}
            {sunion zz}                                    {keymiss zz}
            {sdiff zz}                                     {keymiss zz}
            {set d x}                                      {new d set d}
            {sunionstore d t}                              {sunionstore d}
            {set d x}                                      {set d}
            {sinterstore d zz zz}                          {keymiss zz keymiss zz del d}
        }
    }

    test "events: hashes" {
        check_events {
            {hset h f v g w}                               {new h hset h}
            {hset h f x}                                   {hset h}
            {hsetnx h f y}                                 {}
            {hsetnx h n y}                                 {hset h}
            {hmset h a b}                                  {hset h}
            {hincrby h i 3}                                {hincrby h}
            {hincrby h i 0}                                {hincrby h}
            {hincrbyfloat h fl 1.5}                        {hincrbyfloat h}
            {hdel h zz}                                    {}
            {hdel h f g}                                   {hdel h}
            {hdel h n a i fl}                              {hdel h del h}
            {hget h f}                                     {keymiss h}
            {hget zz f}                                    {keymiss zz}
            {hgetall zz}                                   {keymiss zz}
            {hmget zz f}                                   {keymiss zz}
            {hlen zz}                                      {keymiss zz}
            {hexists zz f}                                 {keymiss zz}
            {hstrlen zz f}                                 {keymiss zz}
            {hkeys zz}                                     {keymiss zz}
            {hvals zz}                                     {keymiss zz}
            {hrandfield zz}                                {keymiss zz}
        }
    }

    test "events: sorted sets" {
        check_events {
            {zadd z 1 a 2 b}                               {new z zadd z}
            {zadd z 1 a}                                   {}
            {zadd z 3 a}                                   {zadd z}
            {zadd z nx 5 a}                                {}
            {zadd z nx 5 n}                                {zadd z}
            {zadd z xx 5 q}                                {}
            {zadd z gt 1 a}                                {}
            {zadd z incr 1 a}                              {zincr z}
            {zadd z incr 1 new}                            {zincr z}
            {zadd z nx incr 1 a}                           {}
            {zincrby z 2 a}                                {zincr z}
            {zincrby z 0 a}                                {}
            {zincrby n 1 x}                                {new n zincr n}
            {zrem z zz}                                    {}
            {zrem z a}                                     {zrem z}
            {zrem z b n new}                               {zrem z del z}
            {zrem z a}                                     {}
            {zscore zz a}                                  {keymiss zz}
            {zmscore zz a}                                 {keymiss zz}
            {zcard zz}                                     {keymiss zz}
            {zrank zz a}                                   {keymiss zz}
            {zrange zz 0 -1}                               {keymiss zz}
            {zcount zz 0 1}                                {keymiss zz}
        }
    }

    test "events: popped sorted sets" {
        check_events {
            {zadd z 1 a 2 b 3 c 4 d 5 e 6 f}               {new z zadd z}
            {zremrangebyrank z 0 0}                        {zremrangebyrank z}
            {zremrangebyscore z 2 2}                       {zremrangebyscore z}
            {zremrangebylex z [c [c}                       {zremrangebylex z}
            {zremrangebyrank z 9 10}                       {}
            {zremrangebyscore z 100 200}                   {}
            {zpopmin z}                                    {zpopmin z}
            {zpopmax z}                                    {zpopmax z}
            {zpopmin z 5}                                  {zpopmin z del z}
            {zpopmin z}                                    {}
            {zadd z 1 a 2 b 3 c}                           {new z zadd z}
            {zmpop 2 zz z min}                             {zpopmin z}
            {zmpop 1 z max count 9}                        {zpopmax z del z}
            {zmpop 1 z max}                                {}
            {zadd z 1 a 2 b}                               {new z zadd z}
            {bzpopmin z 1}                                 {zpopmin z}
            {bzpopmax z 1}                                 {zpopmax z del z}
            {zadd z 1 a 2 b}                               {new z zadd z}
            {bzmpop 1 1 z min count 9}                     {zpopmin z del z}
            {zadd z 1 a 2 b}                               {new z zadd z}
            {zremrangebyscore z 0 9}                       {zremrangebyscore z del z}
            {zadd z 1 a}                                   {new z zadd z}
            {zremrangebyrank z 0 -1}                       {zremrangebyrank z del z}
            {zadd z 0 a 0 b}                               {new z zadd z}
            {zremrangebylex z - +}                         {zremrangebylex z del z}
        }
    }

    test "events: sorted set algebra" {
        check_events {
            {zadd z 1 a 2 b 3 c}                           {new z zadd z}
            {zadd y 1 b 2 c 3 d}                           {new y zadd y}
            {zunionstore d 2 z y}                          {new d zunionstore d}
            {zinterstore d 2 z y}                          {zinterstore d}
            {zdiffstore d 2 z y}                           {zdiffstore d}
            {zinterstore d 2 z zz}                         {keymiss zz del d}
            {zinterstore d 2 z zz}                         {keymiss zz}
            {zdiffstore d 1 zz}                            {keymiss zz}
            {zunionstore d 1 zz}                           {keymiss zz}
            {zrangestore d z 0 -1}                         {new d zrangestore d}
            {zrangestore d z 5 9}                          {del d}
            {zrangestore d z 5 9}                          {}
            {zrangestore d zz 0 -1}                        {keymiss zz}
            {zunionstore z 1 z}                            {zunionstore z}
            {zdiffstore z 2 z z}                           {del z}
            {set d 1}                                      {new d set d}
            {zunionstore d 1 y}                            {zunionstore d}
            {set d 1}                                      {set d}
            {zinterstore d 1 zz}                           {keymiss zz del d}
            {zunion 1 zz}                                  {keymiss zz}
            {zinter 1 zz}                                  {keymiss zz}
            {zdiff 1 zz}                                   {keymiss zz}
            {zintercard 1 zz}                              {keymiss zz}
            {zrandmember zz}                               {keymiss zz}
            {sadd s a b}                                   {new s sadd s}
            {zunionstore d 1 s}                            {new d zunionstore d}
        }
    }

    test "events: geo" {
        check_events {
            {geoadd g 1 2 a 3 4 b}                         {new g zadd g}
            {geoadd g 1 2 a}                               {}
            {geoadd g ch 5 6 a}                            {zadd g}
            {geoadd g nx 1 1 a}                            {}
            {geosearchstore d g fromlonlat 1 2 byradius 10000 km} {new d geosearchstore d}
            {geosearchstore d g fromlonlat 100 2 byradius 1 km} {del d}
            {geosearchstore d g fromlonlat 100 2 byradius 1 km} {}
            {georadius g 1 2 10000 km store d}             {new d georadiusstore d}
            {georadius g 1 2 10000 km storedist d}         {georadiusstore d}
            {georadius g 100 2 1 km store d}               {del d}
            {georadiusbymember g a 10000 km store d}       {new d georadiusstore d}
            {geopos zz a}                                  {keymiss zz}
            {geodist zz a b}                               {keymiss zz}
            {geohash zz a}                                 {keymiss zz}
            {geosearch zz fromlonlat 1 2 byradius 1 km}    {keymiss zz}
            {georadius zz 1 2 1 km store d}                {keymiss zz del d}
            {geosearchstore d zz fromlonlat 1 2 byradius 1 km} {keymiss zz}
            {georadiusbymember zz a 1 km}                  {keymiss zz}
        }
    }

    test "events: keys" {
        check_events {
            {set a 1}                                      {new a set a}
            {rename a b}                                   {new b rename_from a rename_to b}
            {rename b b}                                   {}
            {rename zz q}                                  {}
            {set a 2}                                      {new a set a}
            {rename a b}                                   {new b rename_from a rename_to b}
            {renamenx b a}                                 {new a rename_from b rename_to a}
            {set b 1}                                      {new b set b}
            {renamenx a b}                                 {}
            {renamenx zz q}                                {}
            {copy a c}                                     {new c copy_to c}
            {copy a c}                                     {}
            {copy a c replace}                             {new c copy_to c}
            {copy zz q}                                    {keymiss zz}
            {copy a c db 1}                                {new c copy_to c}
            {copy a c db 1 replace}                        {new c copy_to c}
            {move a 1}                                     {new a move_from a move_to a}
            {move zz 1}                                    {}
            {move b 1}                                     {new b move_from b move_to b}
            {del a b}                                      {}
            {del c zz}                                     {del c}
            {unlink zz}                                    {}
            {set a 1}                                      {new a set a}
            {unlink a}                                     {del a}
            {touch a zz}                                   {keymiss a keymiss zz}
            {exists zz}                                    {keymiss zz}
            {type zz}                                      {keymiss zz}
            {set x 1 ex 100}                               {new x set x expire x}
            {rename x y}                                   {new y rename_from x rename_to y}
            {copy y w}                                     {new w copy_to w}
            {set e 1}                                      {new e set e}
            {rename y e}                                   {new e rename_from y rename_to e}
            {object encoding zz}                           {}
            {dump zz}                                      {keymiss zz}
            {ttl zz}                                       {keymiss zz}
            {pttl zz}                                      {keymiss zz}
            {expiretime zz}                                {keymiss zz}
            {strlen zz}                                    {keymiss zz}
            {getrange zz 0 1}                              {keymiss zz}
            {sort zz}                                      {keymiss zz}
            {sort_ro zz}                                   {keymiss zz}
        }
    }

    test "events: times" {
        check_events {
            {set a 1}                                      {new a set a}
            {expire a 100}                                 {expire a}
            {expire a 100 nx}                              {}
            {expire a 200 xx}                              {expire a}
            {expire a 100 gt}                              {}
            {pexpire a 100000}                             {expire a}
            {expireat a 99999999999}                       {expire a}
            {pexpireat a 99999999999999}                   {expire a}
            {persist a}                                    {persist a}
            {persist a}                                    {}
            {persist zz}                                   {}
            {expire zz 1}                                  {}
            {expire a -1}                                  {del a}
            {set a 1}                                      {new a set a}
            {expire a 0}                                   {del a}
            {set a 1}                                      {new a set a}
            {pexpireat a 1}                                {del a}
            {set a 1}                                      {new a set a}
            {expireat a 1}                                 {del a}
            {set a 1 ex 10}                                {new a set a expire a}
            {set a 2}                                      {set a}
            {set a 1 ex 10}                                {set a expire a}
            {set a 2 keepttl}                              {set a}
            {set a 1 ex 10}                                {set a expire a}
            {getset a 2}                                   {set a}
            {set a 1 ex 10}                                {set a expire a}
            {append a x}                                   {append a}
            {hset h f v}                                   {new h hset h}
            {expire h 10}                                  {expire h}
            {persist h}                                    {persist h}
            {hset h f w}                                   {hset h}
        }
    }

    test "events: sort" {
        check_events {
            {rpush l 3 1 2}                                {new l rpush l}
            {sort l store d}                               {new d sortstore d}
            {sort zz store d}                              {keymiss zz del d}
            {sort zz store d}                              {keymiss zz}
            {sort l by nosort store d}                     {new d sortstore d}
            {set d x}                                      {set d}
            {sort l store d}                               {sortstore d}
            {sort l limit 5 1 store d}                     {del d}
            {sort zz}                                      {keymiss zz}
            {sort l get # get zz*}                         {keymiss zz1 keymiss zz2 keymiss zz3}
        }
    }

    test "events: keys past their time, met by writers" {
        check_events {
            {debug set-active-expire 0}                    {-}
            {set a 1 px 1}                                 {new a set a expire a}
            {set b 1 px 1}                                 {new b set b expire b}
            {rpush l a}                                    {new l rpush l}
            {pexpire l 1}                                  {expire l}
            {sadd s a}                                     {new s sadd s}
            {pexpire s 1}                                  {expire s}
            {hset h f v}                                   {new h hset h}
            {pexpire h 1}                                  {expire h}
            {zadd z 1 a}                                   {new z zadd z}
            {pexpire z 1}                                  {expire z}
            {sleep 20}                                     {-}
            {get a}                                        {expired a keymiss a}
            {set b 2}                                      {expired b new b set b}
            {lpush l x}                                    {expired l new l lpush l}
            {sinterstore d s zz}                           {expired s keymiss s keymiss zz}
            {hset h f v}                                   {expired h new h hset h}
            {zincrby z 1 a}                                {expired z new z zincr z}
            {debug set-active-expire 1}                    {-}
        }
    }

    test "events: keys past their time, met by commands on keys" {
        check_events {
            {debug set-active-expire 0}                    {-}
            {set a 1 px 1}                                 {new a set a expire a}
            {set b 1}                                      {new b set b}
            {set c 1 px 1}                                 {new c set c expire c}
            {sleep 20}                                     {-}
            {rename a q}                                   {expired a}
            {rename b c}                                   {expired c new c rename_from b rename_to c}
            {set d 1 px 1}                                 {new d set d expire d}
            {set e 1 px 1}                                 {new e set e expire e}
            {sleep 20}                                     {-}
            {copy b d}                                     {keymiss b}
            {renamenx b e}                                 {}
            {set f 1 px 1}                                 {new f set f expire f}
            {sleep 20}                                     {-}
            {mset f 1 g 2}                                 {expired f new f set f new g set g}
            {set h 1 px 1}                                 {new h set h expire h}
            {sleep 20}                                     {-}
            {msetnx h 1 i 1}                               {expired h new h set h new i set i}
            {set j 1 px 1}                                 {new j set j expire j}
            {sleep 20}                                     {-}
            {del j}                                        {expired j}
            {set k 1 px 1}                                 {new k set k expire k}
            {sleep 20}                                     {-}
            {unlink k zz}                                  {expired k}
            {set m 1 px 1}                                 {new m set m expire m}
            {sleep 20}                                     {-}
            {expire m 10}                                  {expired m}
            {persist m}                                    {}
            {set n 1 px 1}                                 {new n set n expire n}
            {sleep 20}                                     {-}
            {getset n 1}                                   {expired n keymiss n new n set n}
            {getex n ex 5}                                 {expire n}
            {set o 1 px 1}                                 {new o set o expire o}
            {sleep 20}                                     {-}
            {move o 1}                                     {expired o}
            {set p 1 px 1}                                 {new p set p expire p}
            {sleep 20}                                     {-}
            {exists p}                                     {expired p keymiss p}
            {set r 1 px 1}                                 {new r set r expire r}
            {sleep 20}                                     {-}
            {touch r}                                      {expired r keymiss r}
            {set s 1 px 1}                                 {new s set s expire s}
            {sleep 20}                                     {-}
            {type s}                                       {expired s keymiss s}
            {set t 1 px 1}                                 {new t set t expire t}
            {sleep 20}                                     {-}
            {object encoding t}                            {expired t}
            {set u 1 px 1}                                 {new u set u expire u}
            {sleep 20}                                     {-}
            {incr u}                                       {expired u new u incrby u}
            {set v 1 px 1}                                 {new v set v expire v}
            {sleep 20}                                     {-}
            {setbit v 1 1}                                 {expired v new v setbit v}
            {set w 1 px 1}                                 {new w set w expire w}
            {sleep 20}                                     {-}
            {bitop or w a b}                               {keymiss a keymiss b del w}
            {set x 1 px 1}                                 {new x set x expire x}
            {sleep 20}                                     {-}
            {sort x store y}                               {expired x keymiss x}
            {debug set-active-expire 1}                    {-}
        }
    }
}
