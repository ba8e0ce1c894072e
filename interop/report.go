package main

import (
	"fmt"
	"io"
	"strings"
	"sync"
)

// A report prints the outcome of each check as it comes, and counts.
type report struct {
	out io.Writer

	mu     sync.Mutex
	passed int
	failed int
}

// section begins a group of checks.
func (r *report) section(title string) { fmt.Fprintf(r.out, "\n%s\n", title) }

// check records one: it has passed if err is nil. details say what each side
// saw.
func (r *report) check(name string, err error, details ...string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	verdict := "PASS"
	if err == nil {
		r.passed++
	} else {
		r.failed++
		verdict = "FAIL"
	}
	fmt.Fprintf(r.out, "%s  %s\n", verdict, name)
	for _, d := range details {
		fmt.Fprintf(r.out, "        %s\n", d)
	}
	if err != nil {
		for _, line := range strings.Split(err.Error(), "\n") {
			fmt.Fprintf(r.out, "      ! %s\n", line)
		}
	}
	return err == nil
}

// finish prints the last line and reports whether everything has passed. A run
// that has checked nothing has not.
func (r *report) finish() bool {
	fmt.Fprintf(r.out, "\n%d passed, %d failed\n", r.passed, r.failed)
	return r.failed == 0 && r.passed > 0
}
