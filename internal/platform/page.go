package platform

import (
	"encoding/base64"
	"encoding/json"
	"time"
)

// Page asks for a part of a list.
type Page struct {
	After Cursor // of the page before; empty: from the beginning
	Limit int    // 1…MaxPage; 0: DefaultPage
}

// Bounds of a page.
const (
	DefaultPage = 50
	MaxPage     = 200
)

// Size is the limit with its default and bound applied.
func (p Page) Size() int {
	if p.Limit <= 0 {
		return DefaultPage
	}
	return min(p.Limit, MaxPage)
}

// Cursor is a place in a list, for the next request to name. It is opaque to others.
type Cursor string

// List is a page of a list. Next is empty on the last one.
type List[T any] struct {
	Items []T
	Next  Cursor
}

// Mark is what a cursor says: the row after which to go on. Lists are ordered by time and id, and go from new to old
// unless they say otherwise.
type Mark struct {
	At time.Time
	ID ID
	// Sort is the order of a list that has several; a cursor of one is refused by another.
	Sort string
}

type markJSON struct {
	At   int64  `json:"t,omitempty"`
	ID   ID     `json:"i"`
	Sort string `json:"s,omitempty"`
}

// Encode makes a cursor.
func (m Mark) Encode() Cursor {
	raw := markJSON{ID: m.ID, Sort: m.Sort}
	if !m.At.IsZero() {
		raw.At = m.At.UnixMilli()
	}
	text, _ := json.Marshal(raw) // strings and numbers
	return Cursor(base64.RawURLEncoding.EncodeToString(text))
}

const maxCursor = 512 // bytes

// Decode reads a cursor. Empty gives the zero Mark; what is none of ours gives an Invalid error.
func (c Cursor) Decode() (Mark, error) {
	if c == "" {
		return Mark{}, nil
	}
	bad := InvalidField("after", "This is not a cursor of this list. Take it from the page before.")
	if len(c) > maxCursor {
		return Mark{}, bad
	}
	text, err := base64.RawURLEncoding.DecodeString(string(c))
	if err != nil {
		return Mark{}, bad
	}
	var raw markJSON
	if err := json.Unmarshal(text, &raw); err != nil || !raw.ID.plain() {
		return Mark{}, bad
	}
	m := Mark{ID: raw.ID, Sort: raw.Sort}
	if raw.At != 0 {
		m.At = time.UnixMilli(raw.At).UTC()
	}
	return m, nil
}
