// Command assay grades Node.js submissions: it builds them, starts them in containers, puts real work on them,
// measures them from outside, and writes a report.
package main

import (
	"context"
	"os"
)

func main() {
	os.Exit(run(context.Background(), os.Args[1:], os.LookupEnv, stdio{in: os.Stdin, out: os.Stdout, err: os.Stderr}))
}
