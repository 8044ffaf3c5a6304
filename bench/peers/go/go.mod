module trunkline/bench/peers/go

go 1.24
