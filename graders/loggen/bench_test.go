package loggen

import (
	"io"
	"testing"
)

// BenchmarkGenerate is one core's speed, without the disk.
func BenchmarkGenerate(b *testing.B) {
	const size = 64 << 20
	b.SetBytes(size)
	for b.Loop() {
		if _, err := Generate(b.Context(), io.Discard, Options{Seed: []byte("bench"), Bytes: size, Workers: 1}); err != nil {
			b.Fatal(err)
		}
	}
}
