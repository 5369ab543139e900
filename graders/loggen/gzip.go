package loggen

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
)

// GenerateGzip is Generate, compressed into a single gzip member. Options.Bytes and Truth.Bytes are of the text.
// Compression is the slow part (one core, about 100 MB/s).
func GenerateGzip(ctx context.Context, w io.Writer, o Options) (Truth, error) {
	zw, err := gzip.NewWriterLevel(w, gzip.BestSpeed)
	if err != nil {
		return Truth{}, fmt.Errorf("compress log: %w", err)
	}
	truth, err := Generate(ctx, zw, o)
	if err != nil {
		return Truth{}, err
	}
	if err := zw.Close(); err != nil {
		return Truth{}, fmt.Errorf("compress log: %w", err)
	}
	return truth, nil
}

// GenerateGzipFile writes a compressed log to a new file. The file is removed when an error is returned.
func GenerateGzipFile(ctx context.Context, path string, o Options) (Truth, error) {
	return toFile(path, func(w io.Writer) (Truth, error) { return GenerateGzip(ctx, w, o) })
}

// zipPack writes an anomaly that is compressed. Its text is below a mebibyte and is held whole.
func zipPack(ctx context.Context, w io.Writer, a Anomaly, rng *rand.Rand) (Truth, error) {
	var text bytes.Buffer
	truth, err := fillPack(ctx, &text, a, rng, lengths{})
	if err != nil {
		return Truth{}, err
	}
	zipped, err := a.zip(text.Bytes(), rng)
	if err != nil {
		return Truth{}, fmt.Errorf("compress: %w", err)
	}
	_, err = w.Write(zipped)
	return truth, err
}

// zipMember appends text to out as one gzip member.
func zipMember(out *bytes.Buffer, text []byte) error {
	zw := gzip.NewWriter(out)
	if _, err := zw.Write(text); err != nil {
		return err
	}
	return zw.Close()
}

// zipMembers makes members of about equal size, cut at any byte, and an empty one among them.
func zipMembers(text []byte, rng *rand.Rand) ([]byte, error) {
	const members = 5
	cuts := []int{0, len(text)}
	for range members - 1 {
		cuts = append(cuts, 1+rng.IntN(len(text)-1))
	}
	// The same cut twice is an empty member.
	cuts = append(cuts, cuts[2+rng.IntN(members-1)])
	slices.Sort(cuts)
	var out bytes.Buffer
	for i := range len(cuts) - 1 {
		if err := zipMember(&out, text[cuts[i]:cuts[i+1]]); err != nil {
			return nil, err
		}
	}
	return out.Bytes(), nil
}

// zipTruncated cuts one member off between 30 and 90 % of its length.
func zipTruncated(text []byte, rng *rand.Rand) ([]byte, error) {
	var out bytes.Buffer
	if err := zipMember(&out, text); err != nil {
		return nil, err
	}
	n := out.Len()
	return out.Bytes()[:n*3/10+rng.IntN(n*6/10)], nil
}

// zipDamaged changes one bit of the check sum, so that all the text can be read and the end says that it is wrong.
func zipDamaged(text []byte, rng *rand.Rand) ([]byte, error) {
	var out bytes.Buffer
	if err := zipMember(&out, text); err != nil {
		return nil, err
	}
	b := out.Bytes()
	const trailer = 8 // CRC-32 and length, four bytes each
	b[len(b)-trailer+rng.IntN(4)] ^= 1 << rng.IntN(8)
	return b, nil
}
