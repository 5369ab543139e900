package accuracy

import "fmt"

// Loggen is how fast logs are made. Speeds are MB/s, 10^6 bytes.
type Loggen struct {
	Bytes   int64     `json:"bytes"`
	Workers int       `json:"workers"`
	OneCore []float64 `json:"oneCore"` // to nowhere, one worker
	All     []float64 `json:"all"`     // to nowhere, all workers
	ToDisk  []float64 `json:"toDisk"`  // to a file, with fsync
	Disk    []float64 `json:"disk"`    // the same number of bytes, made before, with fsync
}

func (l *Loggen) section() Section {
	s := Section{
		Title: fmt.Sprintf("Making logs of %d MiB: MB/s", l.Bytes>>20),
		Table: Table{Head: []string{"what", "n", "least", "median", "most"}},
	}
	add := func(name string, values []float64) {
		v := SpreadOf(values)
		s.Table.Add(name, digits(float64(v.N), 0), digits(v.Min, 0), digits(v.Median, 0), digits(v.Max, 0))
	}
	add("made, one worker, to nowhere", l.OneCore)
	add(fmt.Sprintf("made, %d workers, to nowhere", l.Workers), l.All)
	add("made and written, with fsync", l.ToDisk)
	add("ready bytes written, with fsync", l.Disk)
	s.Remarks = []string{fmt.Sprintf("Log made and written by what the disk takes: %.2f (medians).",
		Quantile(l.ToDisk, 0.5)/Quantile(l.Disk, 0.5))}
	return s
}
