package intake

// Limits bound what is taken in.
type Limits struct {
	Entries      int   // files and directories
	Depth        int   // directories above a file, the file included
	NameBytes    int   // one component of a path
	PathBytes    int   // a whole path
	FileBytes    int64 // one file
	TotalBytes   int64 // all files together
	ArchiveBytes int64 // the archive as it was handed in
	ListBytes    int64 // the list of entries that a zip ends with
	// Ratio is how much larger the content may be than the archive. The first RatioFreeBytes are not counted: a small
	// file of zeros is no bomb.
	Ratio          int64
	RatioFreeBytes int64
}

// DefaultLimits are the limits that the documentation states.
func DefaultLimits() Limits {
	return Limits{
		Entries:        20_000,
		Depth:          32,
		NameBytes:      255,
		PathBytes:      1024,
		FileBytes:      64 << 20,
		TotalBytes:     256 << 20,
		ArchiveBytes:   256 << 20,
		ListBytes:      8 << 20,
		Ratio:          100,
		RatioFreeBytes: 1 << 20,
	}
}
