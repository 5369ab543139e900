package runner

// WithDefaults returns the limits with every zero replaced by the default.
func (l Limits) WithDefaults() Limits {
	d := DefaultLimits()
	for _, f := range []struct {
		value *int64
		or    int64
	}{
		{&l.MemoryBytes, d.MemoryBytes},
		{&l.Pids, d.Pids},
		{&l.TmpBytes, d.TmpBytes},
		{&l.FileSizeBytes, d.FileSizeBytes},
		{&l.OpenFiles, d.OpenFiles},
		{&l.OutputBytes, d.OutputBytes},
	} {
		if *f.value == 0 {
			*f.value = f.or
		}
	}
	return l
}
