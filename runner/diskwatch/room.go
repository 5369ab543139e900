package diskwatch

// A file system with less room than this is full: a write that finds no room has used up what there was before, but for a rest
// that is smaller than what it wanted, or that others have freed since.
const (
	fullBytes = 16 << 20
	fullFiles = 64
)

// Room is what ordinary users may still write to a file system.
type Room struct {
	Bytes int64 `json:"bytes"`
	Files int64 `json:"files"` // -1 where their number has no bound
}

// Full says that a write may have failed for want of room.
func (r Room) Full() bool { return r.Bytes < fullBytes || r.Files >= 0 && r.Files < fullFiles }
