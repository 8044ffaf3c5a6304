// Prometheus's own parser for programs (expfmt) over the bodies of exposition_bench: expfmt DIR
package main

import (
	"bytes"
	"fmt"
	"os"
	"sort"
	"syscall"

	"github.com/prometheus/common/expfmt"
)

// The process's, so that the collector's threads count too.
func cpu() float64 {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		panic(err)
	}
	return float64(usage.Utime.Nano() + usage.Stime.Nano())
}

func main() {
	for _, name := range []string{"20KB", "2MB"} {
		body, err := os.ReadFile(os.Args[1] + "/" + name + ".txt")
		if err != nil {
			panic(err)
		}
		times := max(1, 4_000_000/len(body))
		var runs []float64
		for range 21 {
			start := cpu()
			for range times {
				var parser expfmt.TextParser
				if _, err := parser.TextToMetricFamilies(bytes.NewReader(body)); err != nil {
					panic(err)
				}
			}
			runs = append(runs, (cpu()-start)/float64(times))
		}
		sort.Float64s(runs)
		median := runs[len(runs)/2]
		fmt.Printf("%-8s %10d %8s %12.1f %10.0f\n", name, len(body), "all", median/1000, float64(len(body))/median*1000)
	}
}
