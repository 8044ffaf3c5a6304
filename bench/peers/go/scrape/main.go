// Go's tuned client over the fleet of scrape_bench: PORT TARGETS CYCLES INTERVAL_MS, one JSON line with the same names.
// It fetches and throws away; the collector beside it parses as well. One goroutine per target, spread over two thirds of
// the interval, as Prometheus does.
//
//	scrape_bench serve 9999 & go_scrape 9999 5000 10 15000
package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"sort"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

func cpu() float64 {
	var usage syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
	return float64(usage.Utime.Nano()+usage.Stime.Nano()) / 1e9
}

func main() {
	if len(os.Args) != 5 {
		fmt.Fprintln(os.Stderr, "usage: go_scrape PORT TARGETS CYCLES INTERVAL_MS")
		os.Exit(2)
	}
	number := func(i int) int { n, _ := strconv.Atoi(os.Args[i]); return n }
	port, targets, cycles := number(1), number(2), number(3)
	interval := time.Duration(number(4)) * time.Millisecond
	var dials, failed atomic.Int64
	dialer := &net.Dialer{Timeout: 10 * time.Second}
	client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{
		MaxIdleConns: 0, MaxIdleConnsPerHost: 5, IdleConnTimeout: 5 * time.Minute,
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			dials.Add(1)
			return dialer.DialContext(ctx, network, address)
		}}}
	took := make([]time.Duration, targets*(cycles+1))
	begin := time.Now()
	var coldDone, allDone sync.WaitGroup
	coldDone.Add(targets)
	allDone.Add(targets)
	for target := 0; target < targets; target++ {
		go func() {
			defer allDone.Done()
			url := fmt.Sprintf("http://127.1.%d.%d:%d/metrics", target/250, 1+target%250, port)
			offset := interval * 2 / 3 * time.Duration(target) / time.Duration(targets)
			for cycle := 0; cycle <= cycles; cycle++ {
				time.Sleep(time.Until(begin.Add(interval*time.Duration(cycle) + offset)))
				start := time.Now()
				response, err := client.Get(url)
				if err == nil {
					_, err = io.Copy(io.Discard, response.Body)
					response.Body.Close()
				}
				if err != nil {
					failed.Add(1)
				}
				took[cycle*targets+target] = time.Since(start)
				if cycle == 0 {
					coldDone.Done()
				}
			}
		}()
	}
	coldDone.Wait()
	coldCpu, coldDials := cpu(), dials.Load()
	allDone.Wait()
	warm := took[targets:]
	sort.Slice(warm, func(a, b int) bool { return warm[a] < warm[b] })
	at := func(q float64) float64 { return float64(warm[int(q*float64(len(warm)-1))].Nanoseconds()) / 1e6 }
	var usage syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
	used := cpu() - coldCpu
	fmt.Printf("{\"targets\":%d,\"cycles\":%d,\"cold_dials\":%d,\"cold_cpu_us_per_scrape\":%.2f,\"warm_dials\":%d,"+
		"\"failed\":%d,\"cpu_us_per_scrape\":%.2f,\"cpu_ms_per_cycle\":%.2f,\"p50_ms\":%.3f,\"p99_ms\":%.3f,"+
		"\"peak_rss_mb\":%.1f}\n", targets, cycles, coldDials, coldCpu*1e6/float64(targets), dials.Load()-coldDials,
		failed.Load(), used*1e6/float64(len(warm)), used*1e3/float64(cycles), at(0.5), at(0.99),
		float64(usage.Maxrss)/1024)
}
