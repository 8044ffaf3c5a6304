// Go's tuned client as a scraper: "spread" URL CONCURRENCY TOTAL, with TARGETS and INTERVAL_MS as scrape_bench has them,
// and the same JSON line. It fetches and throws away; the collector beside it parses as well. One goroutine per target,
// spread over two thirds of the interval, as Prometheus does; CONCURRENCY is not looked at.
package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"sort"
	"strconv"
	"strings"
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
		fmt.Fprintln(os.Stderr, "usage: go_scrape spread URL CONCURRENCY TOTAL")
		os.Exit(2)
	}
	setting := func(name string) int { n, _ := strconv.Atoi(os.Getenv(name)); return n }
	total, _ := strconv.Atoi(os.Args[4])
	targets, interval := setting("TARGETS"), time.Duration(setting("INTERVAL_MS"))*time.Millisecond
	cycles := max(1, total/targets)
	var failed atomic.Int64
	dialer := &net.Dialer{Timeout: 10 * time.Second}
	client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{
		MaxIdleConns: 0, MaxIdleConnsPerHost: 5, IdleConnTimeout: 5 * time.Minute,
		DialContext: dialer.DialContext}}
	took := make([]time.Duration, targets*(cycles+1))
	begin := time.Now()
	var coldDone, allDone sync.WaitGroup
	coldDone.Add(targets)
	allDone.Add(targets)
	for target := 0; target < targets; target++ {
		go func() {
			defer allDone.Done()
			url := strings.Replace(os.Args[2], "127.0.0.1", fmt.Sprintf("127.1.%d.%d", target/250, 1+target%250), 1)
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
	coldCpu, coldEnd := cpu(), time.Now()
	allDone.Wait()
	end := time.Now()
	used := cpu() - coldCpu
	warm := took[targets:]
	sort.Slice(warm, func(a, b int) bool { return warm[a] < warm[b] })
	at := func(q float64) float64 { return float64(warm[int(q*float64(len(warm)-1))].Nanoseconds()) / 1e3 }
	var usage syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
	fmt.Printf(`{"wall":%.6f,"ut":%.6f,"st":0,"err":%d,"n":%d,"p50":%.1f,"p99":%.1f,"rss_kb":%d,`+
		`"cold_wall":%.6f,"cold_cpu":%.6f}`+"\n",
		end.Sub(coldEnd).Seconds(), used, failed.Load(), len(warm), at(.5), at(.99), usage.Maxrss,
		coldEnd.Sub(begin).Seconds(), coldCpu)
	if os.Getenv("HOLD") != "" {
		io.Copy(io.Discard, os.Stdin)
	}
}
