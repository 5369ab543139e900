package setup

import (
	"fmt"
	"testing"
	"time"
)

func TestTry(t *testing.T) {
	s := time.Now()
	err := Ensure(t.Context(), Options{StateDir: "/tmp/h/state", Progress: func(l string) { fmt.Printf("%5.1f %s\n", time.Since(s).Seconds(), l) }})
	if err != nil {
		t.Fatal(err)
	}
}
