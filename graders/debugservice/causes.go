package debugservice

// The causes that a form may have. Their names are what a diagnosis says.
const (
	pbkdf2Sync   = "pbkdf2-sync"
	jsonParse    = "json-parse-config"
	regex        = "regex-backtracking"
	gzipSync     = "gzip-sync"
	nPlusOne     = "n-plus-one"
	missingIndex = "missing-index"
	quadratic    = "quadratic-array"
	cacheKey     = "cache-key"
	serialAwaits = "serial-awaits"
	poolOfOne    = "pool-of-one"
	noKeepAlive  = "no-keep-alive"
	retryStorm   = "retry-storm"
	syncLogging  = "sync-logging"
	threadpool   = "threadpool-starvation"
	gcGarbage    = "gc-garbage"
	dnsPerCall   = "dns-per-call"
)

// distractors are codes that a diagnosis may name and no form has.
func distractors() []string {
	return []string{
		"memory-leak", "deadlock", "microtask-starvation", "worker-per-request",
		"stream-without-backpressure", "exceptions-as-control-flow", "busy-wait", "polling-loop",
	}
}

// cause is what is known about one of the 16: how a reading is judged, and what a remaining one is called.
type cause struct {
	name string
	// least says that a reading must be at least limit, else it must be at most limit. A reading is value / base.
	least bool
	limit float64
	code  string // reason code when it is still there
	what  string // the reading, with %s for the figure and for the limit
}

// timed says whether the reading is of times, which the machine can spoil: such a check is made again, up to so many times in all, until one
// says that the cause is gone. Where it is there, none does: its readings are far on the other side of the limit.
func (c cause) timed() bool {
	switch c.name {
	case pbkdf2Sync, jsonParse, regex, gzipSync, missingIndex, quadratic, syncLogging, threadpool, gcGarbage:
		return true
	}
	return false
}

// maxTries is how often a check is made at most.
const maxTries = 3

// causes are all 16, in the order of their checks.
func causes() []cause {
	return []cause{
		{pbkdf2Sync, false, 1, codeLoopBlocked, "While logins are checked, GET /healthz waits %s of the time that one login takes"},
		{jsonParse, false, 4, codeLoopBlocked, "A shipping quote takes %s times as long as reading a shipment"},
		{regex, false, 5, codeLoopBlocked, "An address of 24 letters without @ takes %s times as long to refuse as one of 10"},
		{gzipSync, false, 1, codeLoopBlocked, "While exports are made, GET /healthz waits %s of the time that one export takes"},
		{nPlusOne, false, 5, codeNPlusOne, "The orders of a customer with many take %s times as many calls of the items service as those of one with few"},
		{missingIndex, false, 3.5, codeSlow, "Finding a shipment by its tracking number takes %s times as long as by its id"},
		{quadratic, false, 4, codeLoopBlocked, "A basket of 5,000 different articles takes %s times as long as one with 5,000 lines of one article"},
		{cacheKey, false, 0.3, codeSlow, "Of requests for the same related articles, %s reach the related service"},
		{serialAwaits, true, 3, codeSlowSerial, "Of the five warehouses, %s are asked at the same time"},
		{poolOfOne, true, 4, codePoolExhausted, "Of twelve products at once, %s are asked of the stock service at the same time"},
		{noKeepAlive, false, 0.4, codeConnStorm, "For each product, %s connections to the review service are opened"},
		{retryStorm, false, 2.1, codeRetryStorm, "A customer whose points do not come costs %s calls of the loyalty service"},
		{syncLogging, true, 0.9, codeLoopBlocked, "While nobody reads the audit log, %s of the requests are answered"},
		{threadpool, false, 5, codeSlow, "24 invoices at once take %s times as long as one login, which is one derivation of a key"},
		{gcGarbage, false, 4, codeSlow, "The report by country takes %s times as long as the one by carrier"},
		{dnsPerCall, false, 0.4, codeSlow, "For each price in another currency, %s names are looked up"},
	}
}

// names are those of all causes and distractors, by which a diagnosis is read.
func names() map[string]bool {
	all := map[string]bool{}
	for _, c := range causes() {
		all[c.name] = true
	}
	for _, d := range distractors() {
		all[d] = true
	}
	return all
}
