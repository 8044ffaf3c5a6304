// Go's net/http under the bench's command line: MODE URL CONCURRENCY TOTAL, one JSON line.
//
//	default          http.DefaultTransport: 100 idle in all, 2 per host
//	tuned            a clone of it that keeps CONCURRENCY idle connections per host and has no bound over all hosts
//	fresh            a new Transport for each request, never closed
//	fresh-close      a new Transport for each request, closed after it
//	cached           one Transport with the TLS material
//	h2c              HTTP/2 in clear, with prior knowledge
//	h2               HTTP/2 over TLS with the TLS material
//
// With CA, CERT and KEY (files) set, fresh and fresh-close build the TLS configuration anew each time.
// BODY, WARM, TARGETS and HOLD as in measure.h.
package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
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

type settings struct {
	mode          string
	urls          []string
	concurrency   int
	body          []byte
	ca, cert, key []byte
}

func number(name string) int {
	n, _ := strconv.Atoi(os.Getenv(name))
	return n
}

func file(name string) []byte {
	path := os.Getenv(name)
	if path == "" {
		return nil
	}
	content, err := os.ReadFile(path)
	if err != nil {
		panic(err)
	}
	return content
}

func (s *settings) tls() *tls.Config {
	if s.ca == nil {
		return nil
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(s.ca)
	config := &tls.Config{RootCAs: pool}
	if s.cert != nil {
		pair, err := tls.X509KeyPair(s.cert, s.key)
		if err != nil {
			panic(err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config
}

// client gives the client for a request, and what to do with it afterwards.
func (s *settings) client() (get func() *http.Client, done func(*http.Client)) {
	nothing := func(*http.Client) {}
	one := func(transport http.RoundTripper) (func() *http.Client, func(*http.Client)) {
		client := &http.Client{Transport: transport}
		return func() *http.Client { return client }, nothing
	}
	fresh := func() *http.Client { return &http.Client{Transport: &http.Transport{TLSClientConfig: s.tls()}} }
	switch s.mode {
	case "default":
		return one(http.DefaultTransport)
	case "tuned", "cached":
		transport := http.DefaultTransport.(*http.Transport).Clone()
		transport.MaxIdleConns, transport.MaxIdleConnsPerHost = 0, s.concurrency
		transport.TLSClientConfig = s.tls()
		transport.ForceAttemptHTTP2 = false
		return one(transport)
	case "h2c", "h2":
		transport := http.DefaultTransport.(*http.Transport).Clone()
		transport.TLSClientConfig = s.tls()
		transport.Protocols = new(http.Protocols)
		transport.Protocols.SetUnencryptedHTTP2(s.mode == "h2c")
		transport.Protocols.SetHTTP2(s.mode == "h2")
		return one(transport)
	case "fresh":
		return fresh, nothing
	case "fresh-close":
		return fresh, func(c *http.Client) { c.CloseIdleConnections() }
	}
	fmt.Fprintln(os.Stderr, "modes: default tuned fresh fresh-close cached h2c h2")
	os.Exit(2)
	return nil, nil
}

func targetUrls(url string) []string {
	targets := number("TARGETS")
	if targets == 0 {
		return []string{url}
	}
	urls := make([]string, targets)
	for i := range urls {
		urls[i] = strings.Replace(url, "127.0.0.1", fmt.Sprintf("127.1.%d.%d", i/250, 1+i%250), 1)
	}
	return urls
}

func (s *settings) exchange(client *http.Client, url string, buffer *bytes.Buffer) bool {
	method, body := "GET", io.Reader(nil)
	if len(s.body) > 0 {
		method, body = "POST", bytes.NewReader(s.body)
	}
	request, err := http.NewRequest(method, url, body)
	if err != nil {
		panic(err)
	}
	response, err := client.Do(request)
	if err != nil {
		return false
	}
	defer response.Body.Close()
	buffer.Reset()
	_, err = buffer.ReadFrom(response.Body)
	return err == nil && response.StatusCode == 200
}

func run(s *settings, get func() *http.Client, done func(*http.Client), total int) (microseconds []float64, failed int64) {
	microseconds = make([]float64, total)
	var next, errors atomic.Int64
	var callers sync.WaitGroup
	for i := 0; i < s.concurrency; i++ {
		callers.Add(1)
		go func() {
			defer callers.Done()
			var buffer bytes.Buffer
			for {
				i := next.Add(1) - 1
				if i >= int64(total) {
					return
				}
				start := time.Now()
				client := get()
				if !s.exchange(client, s.urls[i%int64(len(s.urls))], &buffer) {
					errors.Add(1)
				}
				done(client)
				microseconds[i] = float64(time.Since(start).Nanoseconds()) / 1e3
			}
		}()
	}
	callers.Wait()
	return microseconds, errors.Load()
}

func cpu() (user, system float64, rss int64) {
	var usage syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
	seconds := func(t syscall.Timeval) float64 { return float64(t.Sec) + float64(t.Usec)/1e6 }
	return seconds(usage.Utime), seconds(usage.Stime), usage.Maxrss
}

func main() {
	if len(os.Args) != 5 {
		fmt.Fprintf(os.Stderr, "usage: %s MODE URL CONCURRENCY TOTAL\n", os.Args[0])
		os.Exit(2)
	}
	concurrency, _ := strconv.Atoi(os.Args[3])
	total, _ := strconv.Atoi(os.Args[4])
	s := &settings{mode: os.Args[1], urls: targetUrls(os.Args[2]), concurrency: concurrency, body: bytes.Repeat([]byte("x"), number("BODY")),
		ca: file("CA"), cert: file("CERT"), key: file("KEY")}
	get, done := s.client()
	userBegun, systemBegun, _ := cpu()
	begin := time.Now()
	if warm := number("WARM"); warm > 0 {
		run(s, get, done, warm)
	}
	user, system, _ := cpu()
	start := time.Now()
	microseconds, failed := run(s, get, done, total)
	wall := time.Since(start).Seconds()
	userAfter, systemAfter, rss := cpu()
	sort.Float64s(microseconds)
	quantile := func(q float64) float64 { return microseconds[int(q*float64(total-1))] }
	fmt.Printf(`{"wall":%.6f,"ut":%.6f,"st":%.6f,"err":%d,"n":%d,"p50":%.1f,"p99":%.1f,"rss_kb":%d,`+
		`"cold_wall":%.6f,"cold_cpu":%.6f}`+"\n",
		wall, userAfter-user, systemAfter-system, failed, total, quantile(.5), quantile(.99), rss,
		start.Sub(begin).Seconds(), user+system-userBegun-systemBegun)
	if os.Getenv("HOLD") != "" {
		io.Copy(io.Discard, os.Stdin)
	}
}
