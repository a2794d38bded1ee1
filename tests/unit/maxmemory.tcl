# maxmemory: refusal without a policy, eviction with one, and whom each policy chooses.

# Writes keys of a kilobyte until one is refused or `count` are written; how many were.
proc fill {prefix count args} {
    set value [string repeat v 1000]
    for {set i 0} {$i < $count} {incr i} {
        if {[catch {r set $prefix:$i $value {*}$args} error]} {
            if {![string match OOM* $error]} { error $error }
            return $i
        }
    }
    return $count
}

proc limit_above_present {bytes} {
    r config set maxmemory [expr {[s used_memory] + $bytes}]
}

start_server {tags {maxmemory} overrides {save {""}}} {
    test "noeviction refuses writes that need memory, and nothing else" {
        r config set maxmemory-policy noeviction
        limit_above_present 2000000
        assert {[fill k 5000] < 3000}
        assert_error_like "OOM command not allowed*" {r append k:0 more}
        assert_error_like "OOM *" {r msetnx x 1 y 2}
        assert_equal 1000 [string length [r get k:0]]
        assert_equal 1 [r del k:1]
        r multi
        assert_error_like "OOM *" {r set x 1}
        assert_error_like "EXECABORT *" {r exec}
        assert_equal 0 [s evicted_keys]
        r config set maxmemory 0
        assert_equal OK [r set x 1]
        r flushall
    }

    foreach policy {allkeys-random allkeys-lru allkeys-lfu volatile-random volatile-lru volatile-lfu volatile-ttl} {
        test "$policy keeps memory at the limit and writes going" {
            r flushall
            r config resetstat
            r config set maxmemory-policy $policy
            limit_above_present 2000000
            set limit [lindex [r config get maxmemory] 1]
            assert_equal 6000 [fill k 6000 ex 1000]
            assert {[s used_memory] < $limit + 200000} "used [s used_memory] of $limit"
            assert_between 3000 6000 [s evicted_keys]
            assert_between 500 2500 [r dbsize]
            r config set maxmemory 0
        }
    }

    test "volatile policies spare keys without expiry, and refuse when no others are left" {
        r flushall
        r config set maxmemory-policy volatile-lru
        limit_above_present 3000000
        set kept [fill keep 1000]
        assert_equal 3000 [fill go 3000 ex 1000]
        for {set i 0} {$i < $kept} {incr i} { assert_equal 1 [r exists keep:$i] }
        r flushall
        assert {[fill keep 5000] < 5000}
        r config set maxmemory 0
    }

    test "volatile-ttl takes those that expire soonest" {
        r flushall
        r config set maxmemory-policy volatile-ttl
        limit_above_present 2500000
        for {set i 0} {$i < 1000} {incr i} { r set late:$i [string repeat v 1000] ex [expr {10000 + $i}] }
        fill early 3000 ex 500
        for {set i 0} {$i < 1000} {incr i} { assert_equal 1 [r exists late:$i] }
        r config set maxmemory 0
    }

    test "allkeys-lru takes those that were not used" {
        r flushall
        r config set maxmemory-policy allkeys-lru
        # With the usual five samples a victim is now and then chosen where no unused key was drawn.
        r config set maxmemory-samples 30
        limit_above_present 2500000
        fill used 500
        fill unused 500
        sleep 1100
        for {set i 0} {$i < 500} {incr i} { r get used:$i }
        fill new 1500
        set used 0
        set unused 0
        for {set i 0} {$i < 500} {incr i} {
            incr used [r exists used:$i]
            incr unused [r exists unused:$i]
        }
        # Chance would take as many of one as of the other.
        set gone [expr {1000 - $used - $unused}]
        assert {$gone > 50 && 500 - $used < $gone / 5} "used ones left: $used, unused ones: $unused"
        r config set maxmemory-samples 5
        r config set maxmemory 0
    }

    test "allkeys-lfu counts uses, and OBJECT FREQ tells" {
        r flushall
        r config set maxmemory-policy allkeys-lfu
        r config set lfu-log-factor 0
        r set hot v
        r set cold v
        for {set i 0} {$i < 50} {incr i} { r get hot }
        assert {[r object freq hot] > [r object freq cold] + 20}
        r set hot other
        assert {[r object freq hot] > 20}
        assert_error_like "ERR An LFU maxmemory policy is selected*" {r object idletime hot}
        r config set maxmemory-policy allkeys-lru
        assert_error_like "ERR An LFU maxmemory policy is not selected*" {r object freq hot}
    }
}

start_server {tags {maxmemory}} {
    test "a lower limit is reached by itself, a bit at a time" {
        populate 50000 k: 100
        r config set maxmemory-policy allkeys-lru
        r config set maxmemory-eviction-tenacity 1
        # Down to a third of the keys; nobody asks for memory.
        r config set maxmemory [expr {[s used_memory] - 4000000}]
        wait_for_condition {[s used_memory] <= [s maxmemory] + 20000}
        assert_between 5000 40000 [r dbsize]
        wait_for_condition {50000 - [r dbsize] == [s evicted_keys]}
        # The server was there for others meanwhile: no turn took all of it.
        assert_equal PONG [r ping]
        r config set maxmemory 0
    }

    test "a lower maxmemory takes effect though nobody asks for more" {
        r flushall
        populate 200 key: 1000
        r config set maxmemory-policy allkeys-random
        r config set notify-keyspace-events Ee
        set c [redis_client]
        $c psubscribe *
        r config set maxmemory 1
        for {set i 0} {$i < 200} {incr i} { assert_match {pmessage \* __keyevent@*__:evicted key:*} [$c read] }
        $c close
        assert_equal 0 [r dbsize]
        r config set maxmemory 0
    }
}
