package signs

import "strconv"

// Number writes an integer with commas: 854,284. Any will do, also the smallest there is, which has no positive counterpart.
func Number(n int64) string {
	text := strconv.FormatInt(n, 10)
	first := 0
	if n < 0 {
		first = 1
	}
	for at := len(text) - 3; at > first; at -= 3 {
		text = text[:at] + "," + text[at:]
	}
	return text
}
