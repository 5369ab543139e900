package loggen

import "strconv"

// The kinds of bad lines of a plain log.
const (
	badTruncated = iota
	badText
	badMissing
	badType
	badNotObject
	badSyntax
	badKinds // their number
)

// badNames are the kinds as Truth.BadKinds has them.
func badNames() [badKinds]string {
	return [badKinds]string{"truncated", "not JSON", "field missing", "wrong type", "not an object", "bad syntax"}
}

// odd writes a good line in another form: other order, white space, additional fields.
func (w *blockWriter) odd(e entry, r uint64) {
	b := w.buf
	form := r >> 20 & 3
	if form == 1 {
		b = append(b, ' ')
	}
	b = append(b, `{"id":"`...)
	at := len(b)
	b = w.p.appendID(b, e.id)
	id := b[at:]
	switch form {
	case 0:
		b = append(b, `","ctx":{"svc":"none","lvl":"error","ms":[1,2,{"ms":0}]},"msg":"`...)
	case 1:
		b = append(b, `" , "node" : null, "ok":true, "msg" : "`...)
	case 2:
		b = append(b, `","load":-1.5e-3,"tags":["}","{",""],"msg":"`...)
	default:
		b = append(b, `","msg":"`...)
	}
	b = appendMessage(b, e)
	b = append(b, `","user":"`...)
	b = w.p.appendUser(b, e.user)
	b = append(b, `","ms":`...)
	b = strconv.AppendInt(b, e.ms, 10)
	b = append(b, `,"svc":"`...)
	b = append(b, w.p.services[e.svc]...)
	b = append(b, `","ts":`...)
	b = strconv.AppendInt(b, e.ts, 10)
	b = append(b, `,"lvl":"`...)
	b = append(b, e.lvl...)
	w.buf = append(b, '"', '}', '\n')
	w.count(e, id)
}

// bad writes a bad line.
func (w *blockWriter) bad(e entry, r uint64) {
	kind := int(r >> 20 % badKinds)
	w.tally.lines++
	w.tally.bad[kind]++
	start := len(w.buf)
	b := w.buf
	switch kind {
	case badText:
		b = append(b, "    at "...)
		b = append(b, w.p.services[e.svc]...)
		b = append(b, " (handler.js:"...)
		b = strconv.AppendInt(b, e.ms, 10)
		b = append(b, ") "...)
		b = append(b, e.msg.raw...)
	case badNotObject:
		b = append(b, [...]string{`["ts",1,"ms",2]`, `42`, `"gap"`, `null`, `true`, `[]`}[r>>24%6]...)
	default:
		b = w.appendFaulty(b, e, kind, r)
	}
	if kind == badTruncated {
		n := len(b) - start
		b = b[:start+1+int(r>>24)%(n-2)]
	}
	w.buf = append(b, '\n')
}

// appendFaulty appends an object with a fault of a kind (with none for badTruncated).
func (w *blockWriter) appendFaulty(b []byte, e entry, kind int, r uint64) []byte {
	pick := func(choices ...string) string { return choices[r>>24%uint64(len(choices))] }
	end := "}"
	b = append(b, `{"ts":`...)
	b = strconv.AppendInt(b, e.ts, 10)
	b = append(b, `,"svc":"`...)
	b = append(b, w.p.services[e.svc]...)
	b = append(b, `","lvl":"`...)
	b = append(b, e.lvl...)
	b = append(b, '"')
	switch kind {
	case badMissing:
		b = append(b, pick(`,"MS":7`, `,"m":7`, ``)...)
	case badType:
		b = append(b, pick(`,"ms":"7"`, `,"ms":null`, `,"ms":[7]`, `,"ms":true`)...)
	case badSyntax:
		b = append(b, pick(`,"ms":NaN`, `,"ms":07`, `,'ms':7`, `,"ms":7`)...)
		end = ",}"
	default:
		b = append(b, `,"ms":7`...)
	}
	b = append(b, `,"user":"`...)
	b = w.p.appendUser(b, e.user)
	b = append(b, `","msg":"`...)
	b = appendMessage(b, e)
	b = append(b, `","id":"`...)
	b = w.p.appendID(b, e.id)
	b = append(b, '"')
	return append(b, end...)
}
