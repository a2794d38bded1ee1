# Places: adding, reading, measuring, searching, storing.

start_server {tags {geo}} {
    proc sicily {} {
        r del sicily
        r geoadd sicily 13.361389 38.115556 Palermo 15.087269 37.502669 Catania
        r geoadd sicily 12.758489 38.788135 edge1 17.241510 38.788135 edge2
    }

    test "GEOADD makes sorted sets" {
        r del g
        assert_equal 2 [r geoadd g 13.361389 38.115556 Palermo 15.087269 37.502669 Catania]
        assert_type zset g
        assert_equal {Palermo 3479099956230698 Catania 3479447370796909} [r zrange g 0 -1 withscores]
        assert_equal 0 [r geoadd g nx 1 1 Palermo]
        assert_equal 0 [r geoadd g xx 1 1 nosuch]
        assert_equal 1 [r geoadd g ch xx 13.5 38 Palermo]
        assert_equal 0 [r geoadd g 13.5 38 Palermo]
        foreach {text args} {
            "ERR syntax error" {1 1 a 2}
            "ERR syntax error" {nx xx 1 1 a}
            "ERR syntax error" {gt 1 1 a x}
            "ERR value is not a valid float" {x 1 a}
            "ERR invalid longitude,latitude pair 200.000000,1.000000" {200 1 a}
            "ERR invalid longitude,latitude pair 1.000000,86.000000" {1 86 a}
        } {
            assert_error $text {r geoadd g {*}$args}
        }
    }

    test "GEOPOS, GEOHASH, GEODIST" {
        sicily
        assert_equal {{13.36138933897018433 38.11555639549629859} {} {15.08726745843887329 37.50266842333162032}} \
            [r geopos sicily Palermo nosuch Catania]
        assert_typed {array {{array {{bulk 13.36138933897018433} {bulk 38.11555639549629859}}} nullarray}} geopos sicily Palermo nosuch
        assert_equal {sqc8b49rny0 {} sqdtr74hyu0} [r geohash sicily Palermo nosuch Catania]
        assert_equal {{} {}} [r geohash missing a b]
        assert_typed {bulk 166274.1516} geodist sicily Palermo Catania
        assert_equal 166.2742 [r geodist sicily Palermo Catania km]
        assert_equal 103.3182 [r geodist sicily Palermo Catania MI]
        assert_equal 545518.8700 [r geodist sicily Palermo Catania ft]
        assert_equal 0.0000 [r geodist sicily Palermo Palermo]
        assert_typed null geodist sicily Palermo nosuch
        assert_typed null geodist missing a b
        assert_error "ERR unsupported unit provided. please use M, KM, FT, MI" {r geodist sicily a b parsec}
        assert_error "ERR syntax error" {r geodist sicily a b km x}
        set c [redis_client]
        $c hello 3
        assert_equal {array {{array {{double 13.36138933897018433} {double 38.11555639549629859}}} null}} [$c typed geopos sicily Palermo nosuch]
        $c close
    }

    test "GEOSEARCH inside circles and boxes" {
        sicily
        assert_equal {Catania Palermo} [r geosearch sicily fromlonlat 15 37 byradius 200 km asc]
        assert_equal {Palermo Catania} [r geosearch sicily fromlonlat 15 37 byradius 200 km desc]
        assert_equal {Palermo} [r geosearch sicily frommember Palermo byradius 0 m]
        set want {
            {Catania 56.4413 3479447370796909 {15.08726745843887329 37.50266842333162032}}
            {Palermo 190.4424 3479099956230698 {13.36138933897018433 38.11555639549629859}}
            {edge2 279.7403 3481342659049484 {17.24151045083999634 38.78813451624225195}}
            {edge1 279.7405 3479273021651468 {12.7584877610206604 38.78813451624225195}}
        }
        assert_equal [list {*}$want] [r geosearch sicily fromlonlat 15 37 bybox 400 400 km asc withcoord withdist withhash]
        assert_equal {Catania} [r geosearch sicily fromlonlat 15 37 byradius 200 km count 1]
        assert_equal 1 [llength [r geosearch sicily fromlonlat 15 37 byradius 200 km count 1 any]]
        assert_equal {{Catania 0.0000}} [r geosearch sicily frommember Catania byradius 1 km withdist]
        assert_typed {array {}} geosearch missing fromlonlat 15 37 byradius 200 km
        assert_typed {array {}} geosearch missing frommember x byradius 200 km
    }

    test "GEOSEARCH inside polygons" {
        sicily
        assert_equal {Catania Palermo} [lsort [r geosearch sicily bypolygon 4 13 37 16 37 16 38.5 13 38.5]]
        assert_equal {Palermo} [r geosearch sicily bypolygon 3 13 38 13.8 38 13.4 38.5]
        assert_equal {} [r geosearch sicily bypolygon 3 14 38 14.8 38 14.4 38.5]
        # An angle, in whose recess Catania lies.
        assert_equal {Palermo} [r geosearch sicily bypolygon 6 13 37 16 37 16 37.3 14 37.3 14 38.5 13 38.5]
        assert_error "ERR GEOSEARCH BYPOLYGON must have at least 3 vertices" {r geosearch sicily bypolygon 2 1 1 2 2}
        assert_error "ERR GEOSEARCH BYPOLYGON must have at least 3 vertices" {r geosearch sicily bypolygon 3 1 1 2 2 3}
        assert_error "ERR GEOSEARCH BYPOLYGON must have at least 3 vertices" {r geosearch sicily bypolygon -1 1 1 2 2}
        assert_error "ERR invalid number of vertices" {r geosearch sicily bypolygon x 1 1 2 2}
        assert_error "ERR syntax error" {r geosearch sicily fromlonlat 1 1 bypolygon 3 1 1 2 2 3 1}
        assert_error "ERR invalid longitude,latitude pair 1.000000,99.000000" {r geosearch sicily bypolygon 3 1 1 2 2 1 99}
        assert_equal 1 [r geosearchstore dst sicily bypolygon 3 13 38 13.8 38 13.4 38.5]
    }

    test "distances inside a polygon are measured from where the sum of its corners points to" {
        r del g
        r geoadd g 10 10 m
        assert_equal {{m 1344949.2590}} [r geosearch g bypolygon 4 0 0 0 40 20 40 40 0 withdist]
    }

    test "GEORADIUS and GEORADIUSBYMEMBER" {
        sicily
        assert_equal {Catania Palermo} [r georadius sicily 15 37 200 km asc]
        assert_equal {{Catania 56.4413} {Palermo 190.4424}} [r georadius_ro sicily 15 37 200 km withdist asc]
        assert_equal {Catania} [r georadiusbymember_ro sicily Catania 100 km]
        assert_equal {Catania Palermo} [r georadiusbymember sicily Catania 200 km asc]
        assert_error "ERR could not decode requested zset member" {r georadiusbymember sicily nosuch 100 km}
        assert_error "ERR syntax error" {r georadius_ro sicily 15 37 200 km store dst}
        assert_error "ERR syntax error" {r georadiusbymember_ro sicily Catania 200 km storedist dst}
    }

    test "storing what was found" {
        sicily
        assert_equal 2 [r georadius sicily 15 37 200 km store dst]
        assert_equal {Palermo 3479099956230698 Catania 3479447370796909} [r zrange dst 0 -1 withscores]
        assert_encoding listpack dst
        assert_equal 2 [r georadius sicily 15 37 200 km storedist dst]
        assert_match {56.441*} [r zscore dst Catania]
        assert_equal 1 [r geosearchstore dst sicily frommember Catania byradius 200 km count 1 asc]
        assert_equal Catania [r zrange dst 0 -1]
        assert_equal 2 [r geosearchstore dst sicily frommember Catania byradius 200 km storedist]
        assert_equal {Catania Palermo} [r zrange dst 0 -1]
        assert_equal 0 [r geosearchstore dst sicily fromlonlat 100 10 byradius 1 m]
        assert_equal 0 [r exists dst]
        r set dst text
        assert_equal 0 [r georadiusbymember missing x 1 m store dst]
        assert_equal 0 [r exists dst]
    }

    test "searches that make no sense" {
        sicily
        foreach {text command} {
            "ERR exactly one of FROMMEMBER or FROMLONLAT can be specified for geosearch" {geosearch sicily byradius 1 m asc withdist}
            "ERR exactly one of BYRADIUS and BYBOX can be specified for geosearch" {geosearch sicily fromlonlat 1 1 asc desc asc}
            "ERR syntax error" {geosearch sicily fromlonlat 1 1 frommember Palermo byradius 1 m}
            "ERR syntax error" {geosearch sicily fromlonlat 1 1 byradius 1 m bybox 1 1 m}
            "ERR syntax error" {geosearch sicily fromlonlat 1 1 byradius 1 m storedist}
            "ERR need numeric radius" {geosearch sicily fromlonlat 1 1 byradius x m}
            "ERR radius cannot be negative" {geosearch sicily fromlonlat 1 1 byradius -1 m}
            "ERR need numeric width" {geosearch sicily fromlonlat 1 1 bybox x 1 m}
            "ERR need numeric height" {geosearch sicily fromlonlat 1 1 bybox 1 x m}
            "ERR height or width cannot be negative" {geosearch sicily fromlonlat 1 1 bybox -1 1 m}
            "ERR unsupported unit provided. please use M, KM, FT, MI" {geosearch sicily fromlonlat 1 1 byradius 1 x}
            "ERR COUNT must be > 0" {geosearch sicily fromlonlat 1 1 byradius 1 m count 0}
            "ERR the ANY argument requires COUNT argument" {geosearch sicily fromlonlat 1 1 byradius 1 m any}
            "ERR could not decode requested zset member" {geosearch sicily frommember nosuch byradius 1 m}
            "ERR GEOSEARCHSTORE is not compatible with WITHDIST, WITHHASH and WITHCOORD options"
                {geosearchstore dst sicily fromlonlat 1 1 byradius 1 m withdist}
            "ERR STORE option in GEORADIUS is not compatible with WITHDIST, WITHHASH and WITHCOORD options"
                {georadius sicily 1 1 1 m store dst withcoord}
        } {
            assert_error $text {r {*}$command}
        }
        r set s text
        foreach command {{geoadd s 1 1 a} {geopos s a} {geodist s a b} {geohash s a} {geosearch s fromlonlat 1 1 byradius 1 m} {georadius s 1 1 1 m}} {
            assert_error "WRONGTYPE Operation against a key holding the wrong kind of value" {r {*}$command}
        }
    }

    test "a circle finds what measuring every place finds" {
        for {set round 0} {$round < 20} {incr round} {
            r del g
            set args {}
            for {set i 0} {$i < 300} {incr i} { lappend args [expr {rand() * 360 - 180}] [expr {rand() * 160 - 80}] p$i }
            r geoadd g {*}$args
            set radius [expr {int(rand() * 5000000)}]
            set center p[random_int 300]
            set want {}
            for {set i 0} {$i < 300} {incr i} {
                if {[r geodist g $center p$i] < $radius} { lappend want p$i }
            }
            # Around the edges of the map the nine cells don't cover everything, in redis-server neither.
            foreach found [r geosearch g frommember $center byradius $radius m] { assert {$found in $want} }
        }
    }
}
